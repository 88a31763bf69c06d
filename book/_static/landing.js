/* Lets the figure of the landing page move: from noise to pictures once, and then wherever a reader
   drags it. The still figure, which is its last frame, stays in the page beneath: it is what paper,
   readers who asked for less motion, and pages without scripts show. */
(() => {
  "use strict";
  // As in tools/draw_landing.py, which drew the frames.
  const [FRAMES, COLUMNS, SIDE, STEP] = [28, 10, 28, 32];
  const LAST = FRAMES - 1;
  const FRAME_MS = 150; // 4 s in all: what moves for longer than 5 s has to move on demand only
  const strip = new Image();
  strip.src = new URL("pair-steps.webp", document.currentScript.src);

  function element(tag, attributes, ...children) {
    const node = Object.assign(document.createElement(tag), attributes);
    node.append(...children);
    return node;
  }

  function animate(still) {
    const canvas = element("canvas", {
      width: COLUMNS * STEP - (STEP - SIDE), height: 2 * STEP - (STEP - SIDE), hidden: true,
    });
    canvas.setAttribute("aria-hidden", "true"); // the still figure has words
    const context = canvas.getContext("2d");
    const button = element("button", { type: "button" });
    const slider = element("input", { type: "range", min: 0, max: LAST, step: 1 });
    slider.setAttribute("aria-label", "From noise to pictures");
    const sheet = element("span", { className: "landing-sheet" });
    (still.closest("a") ?? still).replaceWith(sheet); // a link to the picture alone
    sheet.append(still, canvas);
    const controls = element("span", { className: "landing-controls" }, button, slider);
    sheet.after(controls);

    let timer = 0;
    function show(frame) {
      slider.value = frame;
      slider.setAttribute("aria-valuetext", `step ${frame + 1} of ${FRAMES}`);
      canvas.hidden = frame === LAST;
      for (let i = 0; i < 2 * COLUMNS; i++) {
        const [row, column] = [Math.floor(i / COLUMNS), i % COLUMNS];
        const from = [column * SIDE, (2 * frame + row) * SIDE, SIDE, SIDE];
        context.drawImage(strip, ...from, column * STEP, row * STEP, SIDE, SIDE);
      }
    }
    function pause() {
      clearInterval(timer);
      timer = 0;
      button.textContent = "Play";
    }
    function play() {
      let frame = slider.valueAsNumber === LAST ? 0 : slider.valueAsNumber;
      show(frame);
      button.textContent = "Pause";
      timer = setInterval(() => {
        show(++frame);
        if (frame === LAST) pause();
      }, FRAME_MS);
    }
    button.onclick = () => (timer ? pause() : play());
    slider.oninput = () => {
      pause();
      show(slider.valueAsNumber);
    };
    show(LAST);
    pause();
    if (matchMedia("(prefers-reduced-motion: no-preference)").matches) play();
  }

  document.addEventListener("DOMContentLoaded", async () => {
    const still = document.querySelector("#fig-pair img");
    const loaded = await strip.decode().then(() => true, () => false);
    if (still && loaded) animate(still); // without its frames it goes on standing still
  });
})();
