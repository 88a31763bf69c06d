// The plot of the explorers of expansions: spectrum, and PSNR of the sum, against k.

const SPECTRUM_MARGIN = { left: 42, right: 44 }; // the style sheet places the slider by it

/** The horizontal axis of plot and slider, 0 to 1: log k, from 1 to the number of pixels. */
function spectrumAxis(size) {
  const span = Math.log(Math.max(size, 2));
  return {
    size,
    position: (k) => Math.log(k) / span,
    at: (position) => Math.exp(position * span),
  };
}

/** The k under a point of the screen, not rounded. */
function indexUnder(clientX, canvas, axis) {
  const { left, width } = canvas.getBoundingClientRect();
  const inside = width - SPECTRUM_MARGIN.left - SPECTRUM_MARGIN.right;
  return axis.at((clientX - left - SPECTRUM_MARGIN.left) / inside);
}

/** `view` has k, kept, both expansions, which of them is chosen, and the error of f(y). */
function drawSpectrum(canvas, axis, view) {
  const { k, kept, colours } = view;
  const { context: c, width: across, height } = clearCanvas(canvas);
  const { left, right } = SPECTRUM_MARGIN;
  const wide = { left, width: across - left - right };
  const x = (place) => left + wide.width * axis.position(Math.max(place, 0.5));
  const [legend, foot, gap] = [22, 36, 10];
  const free = height - 2 * legend - foot - gap;
  const upper = { ...wide, top: legend, height: free * 0.5 };
  const lower = { ...wide, top: 2 * legend + gap + free * 0.5, height: free * 0.5 };

  c.globalAlpha = 0.45; // what is not stored lies in the shade
  c.fillStyle = colours.grid;
  const edge = Math.min(x(kept + 0.5), left + wide.width);
  for (const box of [upper, lower]) c.fillRect(edge, box.top, left + wide.width - edge, box.height);
  c.globalAlpha = 1;
  const values = valuePanel(c, upper, x, view);
  const sums = sumPanel(c, lower, x, view);

  c.fillStyle = colours.text;
  for (const box of [upper, lower]) c.fillRect(x(k) - 0.75, box.top, 1.5, box.height);
  const shown = view[view.vectors];
  mark(c, x(k), values.y(shown.values[k - 1]), colours.text, colours.zero);
  mark(c, x(k), sums.y(decibels(shown.errors[k - 1])), colours.text, colours.zero);

  const label = { align: "center", colour: colours.muted };
  const bottom = lower.top + lower.height;
  let next = -Infinity;
  for (const place of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]) {
    if (place > axis.size || x(place) < next) continue;
    sums.text(String(place), x(place), bottom + 10, label);
    next = x(place) + (place < 1000 ? 24 : 32);
  }
  sums.text("k", left + wide.width / 2, bottom + 26, label);
}

function valuePanel(c, box, x, { singular, eigen, vectors, colours }) {
  const most = Math.max(1.1, 1.06 * (singular ?? eigen).values[0], 1.06 * eigen.values[0]);
  const least = Math.min(-0.05, 1.1 * Math.max(eigen.values.at(-1), -1));
  const panel = new Panel(c, box, x, linear(least, most, box), colours);
  for (let v = Math.ceil(2 * least) / 2; v <= most; v += most > 4 ? 1 : 0.5) panel.tick(v, String(v), "left");
  const strong = vectors === "singular" ? singular : eigen;
  panel.dots(eigen.values, colours.signal);
  panel.line(strong.values, vectors === "singular" ? colours.factor : colours.signal, { first: 1, width: 2 });
  const other = singular && strong !== singular;
  if (other) panel.line(singular.values, colours.factor, { first: 1, width: 1, dash: [5, 3] });
  panel.legend([
    ...(singular ? [["singular values sₖ", colours.factor, other ? "dash" : "line"]] : []),
    ["eigenvalues λₖ", colours.signal, strong === singular ? "dot" : "line"],
  ]);
  return panel;
}

function sumPanel(c, box, x, { singular, eigen, vectors, outputError, colours }) {
  const curves = [
    ["singular", singular, "sₖ", colours.factor],
    ["eigen", eigen, "λₖ", colours.signal],
  ].filter(([, sums]) => sums);
  const levels = curves.map(([, { errors }]) => Array.from(errors, decibels));
  const answer = decibels(outputError);
  const all = [answer, ...levels.flat()];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = 0.06 * Math.max(high - low, 1);
  const panel = new Panel(c, box, x, linear(low - room, high + room, box), colours);
  const step = high - low > 40 ? 20 : high - low > 12 ? 5 : 2;
  for (let v = step * Math.ceil((low - room) / step); v <= high + room; v += step) {
    panel.tick(v, String(v), "left");
    if (v + step > high + room) panel.text("dB", box.left + box.width + 6, panel.y(v), { colour: colours.muted });
  }
  panel.across(answer, colours.noise, { width: 2, dash: [2, 3] });
  const legend = curves.map(([kind, , letter, colour], i) => {
    const chosen = kind === vectors;
    panel.line(levels[i], colour, { first: 1, width: chosen ? 2.5 : 1, dash: chosen ? [] : [5, 3] });
    return [chosen ? `PSNR of sum, ${letter}` : `with ${letter}`, colour, chosen ? "line" : "dash"];
  });
  if (vectors === "eigen") legend.reverse(); // the chosen one first
  panel.legend([...legend, ["f(y)", colours.noise, "dash"]]);
  return panel;
}

/** An error as PSNR, at most 100 dB, so that an error of zero has a place in the plot. */
function decibels(error) {
  return -10 * Math.log10(Math.max(error, 1e-10));
}
