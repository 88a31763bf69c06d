/* Draws the explorers of a page that has no kernel.

   Python left two kinds of scripts in the page: one with the state of every widget, and one at
   each place where a widget is shown. Explorers are anywidgets, whose state holds their own
   JavaScript module (_esm) and style (_css); this gives the module the model it expects.
   It takes the place of require.js and @jupyter-widgets/html-manager, a hundred times its size.

   Where the state names a file instead (see book/_ext/lazy_widgets.py), the explorer is drawn once
   a reader comes near it, by scrolling or by the keyboard. `gahrWidgets.showAll()` draws all of
   them now, as for a page that is about to be printed; it returns a promise that is kept when each
   has been drawn or has said why not. */
(() => {
  "use strict";
  const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';
  const NEAR = "100% 0px"; // a screen away: drawn before it is seen
  const FOCUSABLE = 'select, button, input:not([type="radio"]), input:checked, [tabindex="0"]';

  /** The part of anywidget's model that needs no kernel: values, and who wants to hear of them. */
  class Model {
    constructor(state) {
      this.state = state;
      this.listeners = new Map();
    }
    get(name) {
      return this.state[name];
    }
    set(name, value) {
      const changes = typeof name === "object" ? name : { [name]: value };
      const changed = Object.keys(changes).filter((key) => changes[key] !== this.state[key]);
      Object.assign(this.state, changes);
      changed.forEach((key) => this.tell(`change:${key}`, changes[key]));
      if (changed.length) this.tell("change");
    }
    tell(event, value) {
      for (const listener of [...(this.listeners.get(event) ?? [])]) listener(this, value);
    }
    on(event, listener) {
      this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener));
    }
    off(event, listener) {
      if (!event) this.listeners.clear();
      else if (listener) this.listeners.get(event)?.delete(listener);
      else this.listeners.delete(event);
    }
    save_changes() {} // nobody to save them to
    send() {}
  }

  /** Put the bytes of a model back to where they were taken from. */
  function withBuffers({ state, buffers = [] }) {
    for (const { encoding, path, data } of buffers) {
      if (encoding !== "base64") throw new Error(`bytes are encoded as ${encoding}`);
      const text = atob(data);
      const bytes = new Uint8Array(text.length);
      for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
      const parent = path.slice(0, -1).reduce((part, key) => part[key], state);
      parent[path.at(-1)] = new DataView(bytes.buffer);
    }
    return state;
  }

  async function load(esm) {
    const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
    try {
      const { default: module } = await import(url);
      return typeof module === "function" ? await module() : module;
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  /** What a file of data hands over to `receive`. A page opened as a file may load scripts only. */
  function unpack(file) {
    return new Promise((resolve, reject) => {
      const script = element("script");
      script.src = file;
      script.fetchPriority = "high"; // a reader is near: before pictures further down
      script.receive = resolve;
      script.onload = script.onerror = () => {
        script.remove();
        reject(new Error(`its data, ${file.split("/").at(-1)}, could not be loaded`)); // if not received
      };
      document.head.append(script);
    });
  }

  function receive(packed) {
    document.currentScript.receive(packed);
  }

  async function make(entry) {
    const packed = entry?.file ? await unpack(entry.file) : entry;
    if (packed?.model_module !== "anywidget") return null;
    const model = new Model(withBuffers(packed));
    const module = await load(model.get("_esm"));
    addStyle(model.get("_css"));
    await module.initialize?.({ model });
    return { model, module };
  }

  const styles = new Set();
  function addStyle(css) {
    if (css && !styles.has(css)) document.head.append(element("style", css));
    styles.add(css);
  }

  function element(tag, text = "") {
    return Object.assign(document.createElement(tag), { textContent: text });
  }

  /** A part of an address; as it stands, if it is none that a browser would have written. */
  function decoded(part) {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  }

  /** Have MathJax, which keeps the browser busy, wait until something else is seen, or a second. */
  function formulasAfter(other) {
    if (window.MathJax?.version) return; // it has begun
    const frame = () => new Promise(requestAnimationFrame);
    const seen = other.then(frame).then(frame); // the second frame begins when the first is painted
    const first = Promise.race([seen, new Promise((done) => setTimeout(done, 1000))]);
    const startup = (window.MathJax ??= {}).startup ?? {};
    const pageReady = startup.pageReady ?? (() => MathJax.startup.defaultPageReady());
    MathJax.startup = { ...startup, pageReady: () => first.then(pageReady) };
  }

  /** One of the places where a widget is shown: there is a still picture until it is drawn. */
  class Place {
    constructor(view, widget) {
      this.view = view;
      this.widget = widget;
      this.still = view.parentElement.querySelector("[data-still]");
    }

    /** Wait until a reader comes near, or asks for it. */
    wait() {
      this.button = element("button");
      Object.assign(this.button, { type: "button", className: "still-start" });
      this.offer("Start this explorer");
      // Who walks through the page by keyboard comes to the button, and from it into the explorer.
      this.button.onfocus = () => this.show();
      this.view.after(this.button);
      if (this.opensNear()) return void formulasAfter(this.show());
      this.observer = new IntersectionObserver(
        (entries) => entries.some((entry) => entry.isIntersecting) && this.show(),
        { rootMargin: NEAR },
      );
      this.observer.observe(this.view.parentElement);
    }

    /** Whether the page opens near it: known now, while an observer waits for all formulas. */
    opensNear() {
      const goal = document.getElementById(decoded(location.hash.slice(1)));
      const start = goal?.getBoundingClientRect().top ?? 0;
      const away = this.view.parentElement.getBoundingClientRect().top - start;
      return Math.abs(away) < innerHeight;
    }

    offer(text) {
      this.button.textContent = text;
      this.button.onclick = () => this.show();
    }

    show() {
      this.observer?.disconnect();
      return (this.shown ??= this.draw());
    }

    async draw() {
      const { button, view } = this;
      if (button) button.textContent = "Loading …";
      this.el?.remove(); // what an earlier try had to say
      this.el = element("div");
      this.el.dataset.widget = "";
      try {
        const shown = await this.widget();
        view.after(this.el);
        if (shown) {
          await shown.module.render({ model: shown.model, el: this.el });
          this.el.dataset.drawn = "";
          this.still?.remove();
        } else this.say("This widget needs Python: open the page in Binder, Colab or JupyterLab.");
        const asked = button && document.activeElement === button;
        button?.remove();
        if (asked) this.el.querySelector(FOCUSABLE)?.focus({ preventScroll: true });
      } catch (error) {
        console.error(error);
        view.after(this.el);
        this.say(`This explorer could not be drawn in your browser (${error.message}).`);
        if (!button) return;
        button.onfocus = null;
        this.shown = null;
        this.offer("Try again");
      }
    }

    say(text) {
      const words = element("p", text);
      words.setAttribute("role", "status");
      this.el.replaceChildren(words);
    }
  }

  /** The places of the page, whose state comes before this script. */
  function places() {
    const state = document.querySelector(STATE);
    const models = state ? JSON.parse(state.textContent).state : {};
    const widgets = new Map(); // shown twice, a widget is one all the same
    const widget = (id) => {
      if (!widgets.has(id)) {
        const made = make(models[id]);
        made.catch(() => widgets.delete(id)); // it is told where it is shown, and may be tried again
        widgets.set(id, made);
      }
      return widgets.get(id);
    };
    const inline = Object.keys(models).filter((id) => !models[id].file);
    inline.forEach(widget); // while the page is still being read
    return () =>
      [...document.querySelectorAll(VIEW)].map((view) => {
        const id = JSON.parse(view.textContent).model_id;
        const place = new Place(view, () => widget(id));
        if (models[id]?.file) place.wait();
        else place.show();
        return place;
      });
  }

  document.documentElement.dataset.widgets = ""; // the style sheet hides what says that they do not move
  const find = places();
  // Shown as soon as the page is read: DOMContentLoaded waits for formulas and icons, too.
  const found = new Promise((resolve) => {
    if (document.readyState !== "loading") resolve(find());
    else document.addEventListener("readystatechange", () => resolve(find()), { once: true });
  });
  const showAll = async () => {
    await Promise.all((await found).map((place) => place.show()));
  };
  window.gahrWidgets = { receive, showAll };
})();
