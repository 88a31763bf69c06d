// The plot of the explorer: how alike the guesses are at every moment, and the noise at every step.

const PLOT_MARGIN = { left: 42, right: 14 }; // the style sheet places the slider by it
const LEGEND_HEIGHT = 22;
const AXIS_HEIGHT = 38;

/** The two boxes of a plot: cosines above, over moments; noise below, over steps. */
function plotBoxes(across, height) {
  const wide = { left: PLOT_MARGIN.left, width: across - PLOT_MARGIN.left - PLOT_MARGIN.right };
  const free = height - 2 * (LEGEND_HEIGHT + AXIS_HEIGHT);
  const above = { ...wide, top: LEGEND_HEIGHT, height: 0.42 * free };
  const top = above.top + above.height + AXIS_HEIGHT + LEGEND_HEIGHT;
  return [above, { ...wide, top, height: 0.58 * free }];
}

/** The horizontal axis of the steps: from the first step to the last of the longer path. */
function stepAxis(box, paths) {
  const longest = Math.max(2, ...paths.map(({ total }) => total));
  const x = (step) => box.left + (box.width * (step - 1)) / (longest - 1);
  return { longest, x };
}

/** Which of the panels, 0 or 1, is under a point of the screen, or nearest to it. */
function panelUnder(clientY, canvas) {
  const [above, below] = plotBoxes(canvas.clientWidth, canvas.clientHeight);
  const y = clientY - canvas.getBoundingClientRect().top;
  return y < (above.top + above.height + AXIS_HEIGHT + below.top - LEGEND_HEIGHT) / 2 ? 0 : 1;
}

/** The moment under a point of the screen, as the axis of a panel has it. */
function momentUnder(clientX, panel, canvas, { paths, levels }) {
  const box = plotBoxes(canvas.clientWidth, canvas.clientHeight)[panel];
  const at = clientX - canvas.getBoundingClientRect().left;
  if (panel === 0) return Math.round(((at - box.left) / box.width) * (levels.length - 1));
  // The moment whose dots, one for each network, lie nearest on average.
  const { x } = stepAxis(box, paths);
  const away = Array.from(levels, (_, m) =>
    Math.abs(paths.reduce((sum, { steps }) => sum + x(steps[m]) / paths.length, -at)),
  );
  return away.indexOf(Math.min(...away));
}

function drawPlot(canvas, view) {
  const { context: c, width, height } = clearCanvas(canvas);
  const [above, below] = plotBoxes(width, height);
  cosinePanel(c, above, view);
  noisePanel(c, below, view);
}

function cosinePanel(c, box, { levels, cosines, moment, colours }) {
  const last = levels.length - 1;
  const x = (m) => box.left + (box.width * m) / last;
  const low = Math.min(0, Math.floor(5 * Math.min(...cosines)) / 5);
  const panel = new Panel(c, box, x, linear(low, 1.06, box), colours);
  for (const v of [-1, -0.5, 0, 0.5, 1]) panel.tick(v, String(v), "left");
  panel.line(cosines, colours.factor, { width: 2 });
  c.fillStyle = colours.text;
  c.fillRect(x(moment) - 0.75, box.top, 1.5, box.height);
  mark(c, x(moment), panel.y(cosines[moment]), colours.factor, colours.zero);
  panel.legend([["cosine similarity of the two guesses", colours.factor, "line"]]);

  const label = { align: "center", colour: colours.muted };
  const bottom = box.top + box.height;
  const span = Math.log(levels[last] / levels[0]) || 1;
  let nextLabel = -Infinity;
  for (const sigma of [2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001]) {
    const m = (last * Math.log(sigma / levels[0])) / span;
    if (m < -0.01 * last || m > 1.01 * last || x(m) < nextLabel) continue;
    panel.text(String(sigma), x(m), bottom + 10, label);
    nextLabel = x(m) + 34;
  }
  panel.text("moments: noise level σ, from noise to image", box.left + box.width / 2, bottom + 27, label);
}

function noisePanel(c, box, { levels, moment, paths, networks, colours }) {
  const { longest, x } = stepAxis(box, paths);
  const all = paths.flatMap(({ trace }) => [...trace.sigmas]).filter((sigma) => sigma > 0);
  const low = Math.min(levels.at(-1), ...all) / 1.2;
  const y = logarithmic(low, 1.2 * Math.max(levels[0], ...all), box);
  const looks = [[colours.signal, "line", []], [colours.noise, "dash", [6, 3]]];
  const panel = new Panel(c, box, x, y, colours);
  for (const v of [10, 1, 0.1, 0.01, 0.001]) panel.tick(v, String(v), "left");
  panel.across(levels[moment], colours.text, { width: 1.5 });
  paths.forEach(({ trace }, i) => {
    const [colour, , dash] = looks[i];
    const own = new Panel(c, box, (point) => x(trace.steps[point]), y, colours);
    own.line(trace.sigmas, colour, { width: 2, dash });
  });
  paths.forEach(({ steps, sigmas }, i) => {
    const radius = i ? 4 : 7; // where both are at one place, both can be seen
    mark(c, x(steps[moment]), y(sigmas[moment]), looks[i][0], colours.zero, radius);
  });
  const title = "noise σ found by";
  panel.text(title, box.left, box.top - 10);
  const legend = new Panel(c, { ...box, left: box.left + c.measureText(title).width + 10 }, x, y, colours);
  legend.legend(networks.map((name, i) => [name, looks[i][0], looks[i][1]]));

  const label = { align: "center", colour: colours.muted };
  const bottom = box.top + box.height;
  const apart = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((n) => longest / n <= 6) ?? 10000;
  for (let step = 0; step <= longest; step += apart) {
    panel.text(String(Math.max(step, 1)), x(Math.max(step, 1)), bottom + 10, label);
  }
  panel.text("step k", box.left + box.width / 2, bottom + 27, label);
}
