// Algorithm 1 with two networks, from one noise: do they arrive at one picture?
import { clearCanvas, element, linear, logarithmic, palette, Panel } from "./draw.js";
import { labelled, picture, section, seedControl, selection, taskBar } from "./controls.js";
import { cosine } from "./numbers.js";

const SAMPLERS = {
  book: "a growing step, about 40",
  ascent: "the same without noise, about 20",
  ramp: "as in the authors’ code, about 60",
  paper: "as in the paper’s text, about 3,000",
};

export function sampleSection(lab) {
  let config = "book";
  let path = null; // {names, sigmas: [[...], [...]], cosines: [...]} of the last run
  const seeds = seedControl(() => {});
  const steps = selection(Object.entries(SAMPLERS), config, (value) => (config = value));
  const pictures = [0, 1].map((i) => [picture(`state-${i}`, lab.side), picture(`guess-${i}`, lab.side)]);
  const plot = element("canvas", { class: "lab-plot", role: "img", "aria-label": "No sample yet." });

  let due = 0;
  /** Draw what has come, once for each picture that the screen can show. */
  function schedule(states) {
    if (due) cancelAnimationFrame(due);
    due = requestAnimationFrame(() => {
      due = 0;
      show(states);
    });
  }

  function show(states) {
    states.forEach(({ x, denoised, sigma, step }, i) => {
      pictures[i][0].show(x, [`${path.names[i]}: x`, `step ${step}`, `σ = ${sigma.toFixed(3)}`]);
      pictures[i][1].show(denoised, [`${path.names[i]}: f(x)`]);
    });
    drawPath();
  }

  function drawPath() {
    if (!path?.cosines.length || !plot.clientWidth) return;
    const { context, width, height } = clearCanvas(plot);
    const colours = palette(plot);
    const box = { left: 46, width: width - 60 };
    const last = Math.max(2, ...path.sigmas.map((s) => s.length));
    const x = (step) => box.left + (box.width * (step - 1)) / (last - 1);
    const half = (height - 84) / 2;
    const upper = { ...box, top: 26, height: half };
    const lower = { ...box, top: 26 + half + 36, height: half };
    const noise = new Panel(context, upper, x, logarithmic(0.005, 2, upper), colours);
    [0.01, 0.1, 1].forEach((v) => noise.tick(v, String(v), "left"));
    noise.line(path.sigmas[0], colours.signal, { first: 1, width: 2 });
    noise.line(path.sigmas[1], colours.noise, { first: 1, width: 2, dash: [6, 4] });
    noise.legend([["σ of the first", colours.signal, "line"], ["of the second", colours.noise, "dash"]]);
    const alike = new Panel(context, lower, x, linear(-0.25, 1.05, lower), colours);
    [0, 0.5, 1].forEach((v) => alike.tick(v, String(v), "left"));
    alike.line(path.cosines, colours.factor, { first: 1, width: 2 });
    alike.legend([["cosine of the guesses f(x)", colours.factor, "line"]]);
    alike.text("1", x(1), height - 10, { align: "center", colour: colours.muted });
    alike.text(`step ${last}`, x(last), height - 10, { align: "right", colour: colours.muted });
    plot.setAttribute(
      "aria-label",
      `Noise left and cosine of the guesses over ${last} steps; now ${path.cosines.at(-1).toFixed(2)}.`,
    );
  }

  const task = taskBar("Sample", async (signal, tell) => {
    const networks = lab.networks();
    const settings = lab.samplers[config];
    const mine = { names: networks.map(lab.nameOf), sigmas: [[], []], cosines: [] };
    path = mine;
    shown.hidden = false;
    const span = Math.log(settings.sigma_0 / settings.sigma_inf);
    const heard = ({ states }) => {
      states.forEach(({ sigma, step }, i) => (mine.sigmas[i][step - 1] = sigma));
      mine.cosines.push(cosine(states[0].denoised, states[1].denoised));
      const most = Math.max(...states.map(({ sigma }) => sigma));
      const share = Math.log(settings.sigma_0 / most) / span;
      tell(Math.min(1, Math.max(0, share)), `step ${mine.cosines.length}`);
      schedule(states);
    };
    const given = { networks, config: settings, seed: seeds.seed() };
    const { states } = await lab.computer.ask("sample", given, { heard, signal });
    const end = cosine(states[0].x, states[1].x);
    lab.show("sample", { ...given, states, path: mine });
    return `The two samples have the cosine ${end.toFixed(2)}, after ${states.map(({ step }) => step).join(" and ")} steps.`;
  });

  const shown = element(
    "div",
    { class: "lab-sampled", hidden: "" },
    element("div", { class: "lab-four" }, ...pictures.flat().map((p) => p.node)),
    plot,
  );
  const node = section(
    "Sample",
    element("div", { class: "gx-controls" }, seeds.node, labelled("steps", steps)),
    task.node,
    shown,
  );
  const repaint = () => {
    pictures.flat().forEach((p) => p.paint());
    drawPath();
  };
  new ResizeObserver(drawPath).observe(plot);
  return { node, repaint };
}
