// A pad to draw on in white, with a mouse, a finger, or the arrow keys and the space bar.
import { announcer, element } from "./draw.js";

const SCALE = 10; // pixels of the pad for one of the image
const BRUSH = 1.6; // its radius in pixels of the image

/** A pad of side x side pixels: {node, image(), clear()}; `changed` is called after each stroke. */
export function drawingPad(side, changed) {
  let pixels = new Float32Array(side * side);
  const middle = [side / 2, side / 2];
  let pen = middle; // column and row, where the keys go on
  let withKeys = false;
  const canvas = element("canvas", {
    class: "lab-pad", width: side * SCALE, height: side * SCALE, tabindex: 0, role: "application",
    "aria-label": "Drawing pad. Arrow keys move the pen, the space bar draws.",
  });

  const live = element("p", { class: "gx-hidden", "aria-live": "polite" });
  const voice = announcer(live);
  voice.say("");

  /** Brighten what the brush covers, softly at its edge. */
  function dab([column, row]) {
    for (let r = 0; r < side; r++) {
      for (let c = 0; c < side; c++) {
        const distance = Math.hypot(c + 0.5 - column, r + 0.5 - row);
        const ink = Math.min(1, Math.max(0, BRUSH + 0.5 - distance));
        pixels[r * side + c] = Math.max(pixels[r * side + c], ink);
      }
    }
  }

  function stroke(to) {
    const steps = Math.ceil(2 * Math.hypot(to[0] - pen[0], to[1] - pen[1])) || 1;
    for (let i = 1; i <= steps; i++) dab(pen.map((from, axis) => from + ((to[axis] - from) * i) / steps));
    pen = to;
    show();
    changed();
  }

  function show() {
    const context = canvas.getContext("2d");
    pixels.forEach((v, i) => {
      const grey = Math.round(255 * v);
      context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
      context.fillRect((i % side) * SCALE, Math.floor(i / side) * SCALE, SCALE, SCALE);
    });
    if (!withKeys) return;
    context.strokeStyle = "#f2a33a";
    context.lineWidth = 3;
    context.strokeRect((pen[0] - 1) * SCALE, (pen[1] - 1) * SCALE, 2 * SCALE, 2 * SCALE);
  }

  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    withKeys = false;
    pen = under(event);
    stroke(pen);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) stroke(under(event));
  });
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0] };
  let down = false; // whether the space bar is held
  canvas.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    withKeys = true;
    down ||= event.key === " ";
    const to = pen.map((at, axis) => Math.min(side, Math.max(0, at + move[axis])));
    if (down) stroke(to);
    else {
      pen = to;
      show();
    }
    const [column, row] = pen.map(Math.round);
    voice.say(`${down ? "Drawing" : "Pen"} at column ${column}, row ${row} of ${side}.`);
  });
  canvas.addEventListener("keyup", (event) => (down &&= event.key !== " "));
  canvas.addEventListener("blur", () => {
    down = withKeys = false;
    show();
  });
  const clear = () => {
    pixels = new Float32Array(side * side);
    pen = middle;
    show();
    changed();
  };
  show();
  const button = element("button", { type: "button", class: "gx-best", click: clear }, "clear");
  const help = element(
    "p",
    { class: "gx-summary" },
    "Draw with a mouse or a finger; or move with the arrow keys, and hold the space bar to draw.",
  );
  const node = element("div", { class: "lab-drawing" }, canvas, element("div", {}, help, button), live);
  return { node, image: () => pixels.slice() };
}
