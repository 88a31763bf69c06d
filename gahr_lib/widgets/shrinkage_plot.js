// The plot of the explorer: coefficients, factors and errors over one axis, cut at M.

const PLOT_MARGIN = { left: 42, right: 44 }; // the style sheet places the slider by it
const LEGEND_HEIGHT = 22;
const AXIS_HEIGHT = 36;
const GAP = 8;

/** The horizontal axis of plot and slider, 0 to 1: log(1 + M), so that M = 0 has a place too. */
function keptAxis(size) {
  return {
    size,
    position: (m) => Math.log1p(m) / Math.log1p(size),
    at: (position) => Math.expm1(position * Math.log1p(size)),
  };
}

/** The M under a point of the screen. */
function keptUnder(clientX, canvas, axis) {
  const { left, width } = canvas.getBoundingClientRect();
  const inside = width - PLOT_MARGIN.left - PLOT_MARGIN.right;
  return axis.at((clientX - left - PLOT_MARGIN.left) / inside);
}

function drawPlot(canvas, axis, view) {
  const { m, errors, colours, best } = view;
  const { context: c, width: across, height } = clearCanvas(canvas);
  const wide = { left: PLOT_MARGIN.left, width: across - PLOT_MARGIN.left - PLOT_MARGIN.right };
  const right = wide.left + wide.width;
  const x = (k) => wide.left + wide.width * axis.position(Math.max(k, 0));

  const free = height - 3 * LEGEND_HEIGHT - AXIS_HEIGHT - 2 * GAP;
  let bottom = -GAP;
  const boxes = [0.38, 0.2, 0.42].map((share) => {
    const top = bottom + GAP + LEGEND_HEIGHT;
    bottom = top + free * share;
    return { ...wide, top, height: free * share };
  });

  c.fillStyle = colours.grid; // what is not kept lies in the shade
  c.globalAlpha = 0.45;
  for (const box of boxes) c.fillRect(x(m), box.top, right - x(m), box.height);
  c.globalAlpha = 1;
  const fill = [coefficientPanel, factorPanel, errorPanel];
  const last = boxes.map((box, i) => fill[i](c, box, x, view)).at(-1);

  // The cut through all three panels, and where it meets the error.
  c.fillStyle = colours.text;
  for (const box of boxes) c.fillRect(x(m) - 0.75, box.top, 1.5, box.height);
  mark(c, x(best), last.y(errors.total[best]), colours.zero, colours.text, 4);
  mark(c, x(m), last.y(errors.total[m]), colours.text, colours.zero);

  const label = { align: "center", colour: colours.muted };
  let nextLabel = -Infinity;
  for (const k of [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]) {
    if (k > axis.size || x(k) < nextLabel) continue;
    last.text(String(k), x(k), bottom + 10, label);
    nextLabel = x(k) + 24;
  }
  last.text("k, number of coefficients M", wide.left + wide.width / 2, bottom + 26, label);
}

function coefficientPanel(c, box, x, { own, sigma, basis, colours }) {
  const [clean, noisy] = [own.clean, own.noisy].map((values) => values.map(Math.abs));
  const scale = logarithmic(sigma / 20, 1.5 * Math.max(...clean, ...noisy), box);
  const panel = new Panel(c, box, x, scale, colours);
  for (const v of [0.001, 0.01, 0.1, 1, 10, 100]) panel.tick(v, String(v), "left");
  panel.tick(sigma, "σ", "right");
  panel.across(sigma, colours.noise, { dash: [4, 3] });
  panel.dots(noisy, colours.noise);
  // Largest first they make a curve; in the order of the eigenvalues they are a cloud.
  const cloud = basis === "network";
  if (cloud) panel.dots(clean, colours.signal);
  else panel.line(clean, colours.signal, { first: 1, width: 2 });
  panel.legend([
    ["|⟨x, eₖ⟩| clean", colours.signal, cloud ? "dot" : "line"],
    ["|⟨y, eₖ⟩| noisy", colours.noise, "dot"],
  ]);
  return panel;
}

function factorPanel(c, box, x, { own, m, factors, colours }) {
  const scale = linear(0, Math.max(1.15, 1.05 * own.factors[0]), box);
  const panel = new Panel(c, box, x, scale, colours);
  [0, 1].forEach((v) => panel.tick(v, String(v), "left"));
  const kept = own.factors.subarray(0, m);
  c.globalAlpha = 0.5;
  panel.bars(kept.map((v) => (factors === "shrinkage" ? Math.max(v, 0) : 1)), colours.factor);
  c.globalAlpha = 1;
  panel.line(own.factors, colours.factor, { first: 1, width: 2 });
  panel.legend([["factors λₖ", colours.factor, "line"], ["factors used", colours.factor, "bar"]]);
  return panel;
}

function errorPanel(c, box, x, { errors, best, answer, colours }) {
  const { total, lost, kept } = errors;
  const low = Math.max(Math.min(total[best], answer) / 3, 1e-8);
  const scale = logarithmic(low, 1.3 * Math.max(total[0], total.at(-1)), box);
  const panel = new Panel(c, box, x, scale, colours);
  const powers = ["1", "0.1", "0.01", "0.001", "10⁻⁴", "10⁻⁵", "10⁻⁶"];
  powers.forEach((text, i) => panel.tick(10 ** -i, text, "left"));
  for (let level = 0; level <= 60; level += 5) panel.tick(10 ** (-level / 10), `${level} dB`, "right");
  panel.line(lost, colours.signal, { dash: [5, 3] });
  panel.line(kept, colours.noise, { dash: [5, 3] });
  if (answer > low) panel.across(answer, colours.factor, { width: 2, dash: [2, 3] });
  panel.line(total, colours.text, { width: 2.5 });
  panel.legend([
    ["error", colours.text, "line"],
    ["signal lost", colours.signal, "dash"],
    ["noise kept", colours.noise, "dash"],
    ["f(y)", colours.factor, "dash"],
  ]);
  return panel;
}
