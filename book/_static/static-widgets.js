/* Draws the explorers of a page that has no kernel.

   Python left two kinds of scripts in the page: one with the state of every widget, and one at
   each place where a widget is shown. Explorers are anywidgets, whose state holds their own
   JavaScript module (_esm) and style (_css); this gives the module the model it expects.
   It takes the place of require.js and @jupyter-widgets/html-manager, a hundred times its size. */
(() => {
  "use strict";
  const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';

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

  async function make(packed) {
    if (packed?.model_module !== "anywidget") return null;
    const model = new Model(withBuffers(packed));
    const module = await load(model.get("_esm"));
    if (model.get("_css")) document.head.append(element("style", model.get("_css")));
    await module.initialize?.({ model });
    return { model, module };
  }

  function element(tag, text = "") {
    return Object.assign(document.createElement(tag), { textContent: text });
  }

  async function show(widgets, view) {
    const el = element("div");
    el.dataset.widget = "";
    const still = view.parentElement.querySelector("[data-still]");
    try {
      const shown = await widgets[JSON.parse(view.textContent).model_id];
      if (shown) {
        view.after(el);
        await shown.module.render({ model: shown.model, el });
        el.dataset.drawn = "";
        still?.remove();
        return;
      }
      el.append(element("p", "This widget needs Python: open the page in Binder, Colab or JupyterLab."));
    } catch (error) {
      console.error(error);
      el.replaceChildren(element("p", `This explorer could not be drawn in your browser (${error.message}).`));
    }
    view.after(el);
  }

  /** Make the widgets while the page is still being read: their state comes before this script. */
  function start() {
    const state = document.querySelector(STATE);
    const models = state ? JSON.parse(state.textContent).state : {};
    const widgets = Object.fromEntries(
      Object.entries(models).map(([id, packed]) => [id, make(packed)]),
    );
    Object.values(widgets).forEach((widget) => widget.catch(() => {})); // told where it is shown
    return () => document.querySelectorAll(VIEW).forEach((view) => show(widgets, view));
  }

  // Shown as soon as the page is read: DOMContentLoaded waits for formulas and icons, too.
  const showAll = start();
  if (document.readyState === "loading") {
    document.addEventListener("readystatechange", showAll, { once: true });
  } else showAll();
})();
