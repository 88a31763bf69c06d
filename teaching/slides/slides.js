/* Turns the page of a lecture into slides where there is room for them. On a narrow screen, and with
   ?page in its address, they stay one below the other, with the notes: to read or to print. */
(() => {
  "use strict";
  const page = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => (page.dataset.theme = dark.matches ? "dark" : "light");
  follow();
  dark.addEventListener("change", follow);

  /** Let the keyboard reach what scrolls. */
  function reach() {
    for (const part of document.querySelectorAll(".result, .formulas, pre, mjx-container")) {
      const { scrollWidth, clientWidth, scrollHeight, clientHeight } = part;
      const hides = scrollWidth > clientWidth || scrollHeight > clientHeight + 1;
      const scrolls = hides && getComputedStyle(part).overflowX === "auto";
      if (scrolls) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
  }
  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    reach();
  });
  addEventListener("resize", reach);

  const asked = new URLSearchParams(location.search);
  // The speaker's view has small frames with slides in them.
  const frame = asked.has("receiver");
  page.classList.toggle("frame", frame);
  const room = frame || matchMedia("(min-width: 700px)").matches;
  if (asked.has("page") || !window.Reveal || !room) return;
  page.classList.add("starting");

  // reveal.js obeys every window that sends it a message: here only those of this book, as the
  // speaker's view is.
  addEventListener("message", (event) => {
    if (event.origin !== window.origin) event.stopImmediatePropagation();
  });

  const inExplorer = (element) => element?.closest?.("[data-widget]");
  for (const explorer of document.querySelectorAll("[data-widget]")) {
    explorer.dataset.preventSwipe = "";
  }
  // The way back to the slides for who works without a mouse.
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && inExplorer(event.target)) event.target.blur();
  });

  /** Make an explorer narrower until it is no higher than its place; it draws itself anew. */
  async function fit() {
    const place = Reveal.getCurrentSlide()?.querySelector(".explorer");
    const explorer = place?.querySelector(".gx-explorer");
    if (!explorer) return;
    const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const narrow = async (width) => {
      explorer.style.maxWidth = width;
      await drawn();
      return place.scrollHeight;
    };
    let height = await narrow("");
    let width = explorer.clientWidth;
    while (height > place.clientHeight) {
      const next = await narrow(`${width - 40}px`);
      // A narrow explorer stacks its parts, and grows: then the last width was the best.
      if (next > height) return narrow(`${width}px`);
      [height, width] = [next, width - 40];
    }
  }

  async function start() {
    await window.MathJax?.startup?.promise; // formulas are measured while they can be seen
    document.querySelector(".deck").classList.add("reveal");
    document.querySelector(".stack").classList.add("slides");
    await Reveal.initialize({
      disableLayout: true, // slides.css knows better than a scale
      center: false,
      hash: true,
      overview: false,
      plugins: window.RevealNotes ? [RevealNotes] : [],
      slideNumber: "c/t",
      transition: "none",
      // The arrow keys move what has the focus, be it an explorer or the slides.
      keyboardCondition: (event) => !inExplorer(event.target),
    });
    page.classList.remove("starting");
    Reveal.on("slidechanged", fit);
    Reveal.on("slidechanged", reach);
    addEventListener("resize", fit);
    fit();
    reach();
  }

  addEventListener("load", start);
})();
