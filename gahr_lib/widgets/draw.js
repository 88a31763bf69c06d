// What explorers and laboratory share: bytes to numbers, elements, pictures and plots. `module` in
// _front_end.py puts it in front of an explorer's own file, so nothing here is exported.

/** The 32-bit floats of a DataView; copied, because their place in its buffer may be odd. */
function floats(view) {
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function integers(view) {
  return new Uint16Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function signedBytes(view) {
  return new Int8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Vector `index` of those that `quantize` in _front_end.py, which says why squares, packed. */
function dequantize({ codes, scales }, index, size) {
  const scale = scales[index] / 127 ** 2;
  const own = codes.subarray(index * size, (index + 1) * size);
  return Float32Array.from(own, (code) => scale * code * Math.abs(code));
}

/** A number below a letter, as in λ₁₂. */
function subscript(number) {
  return [...String(number)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
}

/** An element with attributes and children; a function as attribute listens to an event. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null) node.setAttribute(name, value);
  }
  node.append(...children);
  if (node.tabIndex >= 0) keepKeys(node);
  return node;
}

/** Keep Jupyter from moves between cells by the arrow keys while an element has the focus. */
function keepKeys(node) {
  node.dataset.lmSuppressShortcuts = "true"; // Notebook 7 takes them even from a slider
}

let lastId = 0;
/** An id that no other explorer of the page has. */
function freshId() {
  return `gx-${Date.now().toString(36)}-${lastId++}`;
}

/**
 * Radio buttons that look like one bar. `choices` are [value, text] pairs; the result is the
 * group, and a function that shows a value as chosen without telling anybody.
 */
function choiceBar(label, choices, chosen) {
  const name = freshId();
  const buttons = choices.map(([value, text]) => {
    const input = element("input", { type: "radio", name, value, change: () => chosen(value) });
    return [value, input, element("label", { class: "gx-choice" }, input, element("span", {}, text))];
  });
  const group = element(
    "div",
    { class: "gx-control", role: "radiogroup", "aria-labelledby": `${name}-label` },
    element("span", { class: "gx-label", id: `${name}-label` }, label),
    element("span", { class: "gx-bar" }, ...buttons.map(([, , node]) => node)),
  );
  const show = (value) => buttons.forEach(([own, input]) => (input.checked = own === value));
  const rename = (value, text) => {
    const button = buttons.find(([own]) => own === value);
    button[2].lastChild.textContent = text;
  };
  return { group, show, rename };
}

/** The explorer's colours, as its style sheet sets them for the theme of the page. */
function palette(root) {
  const style = getComputedStyle(root);
  const names = ["text", "muted", "grid", "signal", "noise", "factor", "negative", "zero", "positive"];
  const colours = names.map((name) => [name, style.getPropertyValue(`--gx-${name}`).trim()]);
  return { ...Object.fromEntries(colours), font: style.fontFamily };
}

/** Call `redraw` when the page changes between light and dark, or is about to be printed. */
function onThemeChange(redraw) {
  const attributeFilter = ["class", "theme", "data-theme", "data-jp-theme-light", "data-vscode-theme-kind"];
  const observer = new MutationObserver(redraw);
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter });
  }
  const print = matchMedia("print");
  print.addEventListener("change", redraw);
  return () => {
    observer.disconnect();
    print.removeEventListener("change", redraw);
  };
}

/**
 * Draw when one of the traits or the size of a canvas changes, many changes at once; and without
 * delay when the page changes its colours, since one that is printed does not wait. `schedule` asks
 * for it besides, and `stop` ends it all.
 */
function drawOnChange(model, traits, canvases, draw) {
  let due = 0;
  const schedule = () => {
    due ||= requestAnimationFrame(() => {
      due = 0;
      draw();
    });
  };
  traits.forEach((name) => model.on(`change:${name}`, schedule));
  const forgetTheme = onThemeChange(draw);
  const sizes = new ResizeObserver(schedule);
  canvases.forEach((canvas) => sizes.observe(canvas));
  const stop = () => {
    traits.forEach((name) => model.off(`change:${name}`, schedule));
    forgetTheme();
    sizes.disconnect();
    cancelAnimationFrame(due);
  };
  return { schedule, stop };
}

/** Call `move` with the event while a pointer is held down on a canvas, and where it has clicked. */
function onDrag(canvas, move) {
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    // A finger may be about to scroll the page: it counts when it slides sideways, or has tapped.
    if (event.pointerType !== "touch") move(event);
  });
  canvas.addEventListener("click", move);
  canvas.addEventListener("pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && move(event));
}

/**
 * Says to those who cannot see it what has changed: when the hand rests, not at every step on the
 * way, and nothing when the page opens.
 */
function announcer(live) {
  let timer;
  let last = null;
  const say = (text) => {
    if (text === last) return; // drawn again for its size or its colours
    clearTimeout(timer);
    if (last !== null) timer = setTimeout(() => (live.textContent = text), 500);
    last = text;
  };
  return { say, hush: () => clearTimeout(timer) };
}

function channels(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

/** Paint numbers as grey pixels, 0 black and 1 white, whatever the theme: they are photographs. */
function paintGrey(canvas, values, width) {
  paintPixels(canvas, values, width, (v, pixels, at) => {
    pixels[at] = pixels[at + 1] = pixels[at + 2] = 255 * v; // an ImageData clamps what it is given
  });
}

/** Paint signed numbers: zero in the colour of the page, the largest in the strongest colour. */
function paintSigned(canvas, values, width, colours) {
  const [negative, zero, positive] = [colours.negative, colours.zero, colours.positive].map(channels);
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-12);
  paintPixels(canvas, values, width, (v, pixels, at) => {
    const strength = Math.abs(v) / largest;
    const end = v < 0 ? negative : positive;
    for (let i = 0; i < 3; i++) pixels[at + i] = zero[i] + (end[i] - zero[i]) * strength;
  });
}

function paintPixels(canvas, values, width, paint) {
  const height = values.length / width;
  // Enlarged by a whole number here, so that print and zoom keep the pixels square and sharp.
  const times = Math.max(1, Math.floor(280 / Math.max(width, height)));
  const small = new ImageData(width, height);
  small.data.fill(255); // opaque
  values.forEach((v, i) => paint(v, small.data, 4 * i));
  const scratch = element("canvas", { width, height });
  scratch.getContext("2d").putImageData(small, 0, 0);
  if (canvas.width !== width * times || canvas.height !== height * times) {
    canvas.width = width * times;
    canvas.height = height * times;
  }
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch, 0, 0, canvas.width, canvas.height);
}

/** Fit a canvas to its place on the screen and clear it: {context, width, height} in CSS pixels. */
function clearCanvas(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== size[0]) canvas.width = size[0];
  if (canvas.height !== size[1]) canvas.height = size[1];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** A panel of a plot: a box on a canvas, and maps `x` and `y` from numbers to its pixels. */
class Panel {
  constructor(context, box, x, y, colours) {
    Object.assign(this, { context, box, x, y, colours });
  }

  /** A curve through (k, values[k - first]), cut off at the edges of the box. */
  line(values, colour, { first = 0, width = 1.5, dash = [] } = {}) {
    const { context: c, box } = this;
    c.save();
    c.beginPath();
    c.rect(box.left - width, box.top - width, box.width + 2 * width, box.height + 2 * width);
    c.clip();
    this.#stroke(colour, width, dash, () =>
      values.forEach((v, i) => c.lineTo(this.x(first + i), this.y(v))),
    );
    c.restore();
  }

  dots(values, colour, { first = 1, radius = 1.25 } = {}) {
    const { context: c, box } = this;
    c.fillStyle = colour;
    values.forEach((v, i) => {
      const [x, y] = [this.x(first + i), this.y(v)];
      if (y > box.top + box.height) return;
      c.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
    });
  }

  /** Bars from the bottom of the box, each from half a step before its k to half a step after. */
  bars(values, colour, { first = 1 } = {}) {
    const { context: c, box } = this;
    const bottom = box.top + box.height;
    c.fillStyle = colour;
    c.beginPath(); // one outline for all, else hair lines show between neighbours
    c.moveTo(this.x(first - 0.5), bottom);
    values.forEach((v, i) => {
      const y = Math.max(this.y(v), box.top);
      c.lineTo(this.x(first + i - 0.5), y);
      c.lineTo(this.x(first + i + 0.5), y);
    });
    c.lineTo(this.x(first + values.length - 0.5), bottom);
    c.fill();
  }

  across(value, colour, { width = 1, dash = [] } = {}) {
    const y = this.y(value);
    this.#stroke(colour, width, dash, (c) => {
      c.moveTo(this.box.left, y);
      c.lineTo(this.box.left + this.box.width, y);
    });
  }

  /** A grid line with its label on the "left" or the "right". */
  tick(value, text, side) {
    const y = this.y(value);
    const { left, top, width, height } = this.box;
    if (y < top - 0.5 || y > top + height + 0.5) return;
    this.across(value, this.colours.grid);
    const [align, x] = side === "left" ? ["right", left - 6] : ["left", left + width + 6];
    this.text(text, x, y, { align, colour: this.colours.muted });
  }

  text(text, x, y, { align = "left", colour = this.colours.text, baseline = "middle", size = 12 } = {}) {
    const { context: c } = this;
    Object.assign(c, { fillStyle: colour, textAlign: align, textBaseline: baseline });
    c.font = `${size}px ${this.colours.font}`;
    c.fillText(text, x, y);
  }

  /** What the colours mean, above the box: [text, colour, "line" | "dash" | "dot" | "bar"] each. */
  legend(entries) {
    const { context: c, box } = this;
    const y = box.top - 10;
    let { left: x } = box;
    for (const [text, colour, mark] of entries) {
      c.fillStyle = colour;
      if (mark === "dot") c.fillRect(x + 4, y - 2, 4, 4);
      else if (mark === "bar") c.fillRect(x, y - 5, 12, 10);
      else if (mark === "dash") [0, 5, 10].forEach((dx) => c.fillRect(x + dx, y - 1, 3, 2));
      else c.fillRect(x, y - 1, 13, 2.5);
      this.text(text, x + 17, y);
      x += 17 + c.measureText(text).width + 12;
    }
  }

  #stroke(colour, width, dash, path) {
    const { context: c } = this;
    c.beginPath();
    path(c);
    Object.assign(c, { strokeStyle: colour, lineWidth: width, lineJoin: "round" });
    c.setLineDash(dash);
    c.stroke();
    c.setLineDash([]);
  }
}

/** A disc that marks a place in a plot; a number that is infinite has none. */
function mark(context, x, y, fill, stroke, radius = 5) {
  if (!Number.isFinite(y)) return;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  Object.assign(context, { fillStyle: fill, strokeStyle: stroke, lineWidth: 1.5 });
  context.fill();
  context.stroke();
}

/** A map from numbers between `low` and `high` to pixels of a box, upwards, by their logarithms. */
function logarithmic(low, high, box) {
  const span = Math.log(high / low);
  const least = low * 1e-9; // stands for zero, far below the box
  return (v) => box.top + box.height * (1 - Math.log(Math.max(v, least) / low) / span);
}

function linear(low, high, box) {
  return (v) => box.top + box.height * (1 - (v - low) / (high - low));
}
