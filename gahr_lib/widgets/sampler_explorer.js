// The front end of sampler_explorer.py: its controls, pictures and words. In front of it come
// draw.js, explorer_frame.js and sampler_plot.js.

const PACE = 180; // milliseconds that a moment lasts while the path is played

/** What Python sent, by sampler and noise. */
class Walks {
  constructor(data) {
    const { networks, samplers, noises, frames, height, width } = data;
    Object.assign(this, { networks, samplers, noises, frames, height, width });
    const { buffer, byteOffset, byteLength } = data.pictures;
    this.pictures = new Uint8Array(buffer, byteOffset, byteLength);
    for (const name of ["levels", "cosines", "steps", "sigmas"]) this[name] = floats(data[name]);
    const [steps, sigmas] = [floats(data.traceSteps), floats(data.traceSigmas)];
    let first = 0;
    this.traces = data.traceCounts.map((count) => {
      const part = [first, (first += count)];
      return { steps: steps.subarray(...part), sigmas: sigmas.subarray(...part) };
    });
  }

  /** The levels, cosines and paths of both networks, with one sampler from one noise. */
  pair(sampler, noise) {
    const { frames } = this;
    const place = this.samplers.indexOf(sampler) * this.noises + noise;
    const part = (values, i) => values.subarray(i * frames, (i + 1) * frames);
    const paths = this.networks.map((_, i) => {
      const own = place * this.networks.length + i;
      const trace = this.traces[own];
      const [steps, sigmas] = [part(this.steps, own), part(this.sigmas, own)];
      return { own, trace, steps, sigmas, total: trace.steps.at(-1) };
    });
    return { levels: part(this.levels, place), cosines: part(this.cosines, place), paths };
  }

  /** A state (0) or guess (1) of a path, black 0 and white 1. */
  picture({ own }, moment, which) {
    const size = this.height * this.width;
    const first = ((own * this.frames + moment) * 2 + which) * size;
    return Float32Array.from(this.pictures.subarray(first, first + size), (v) => v / 255);
  }
}

/** The explorer: builds its controls once, and draws all of it after each change. */
function render({ model, el }) {
  const walks = new Walks(model.get("_data"));
  const { networks, frames } = walks;
  const choose = chooser(model);
  const go = (moment) => choose({ moment: Math.min(Math.max(Math.round(moment), 0), frames - 1) });
  const move = (moment) => {
    stop(); // a hand on the slider or the plot is not to be moved against
    go(moment);
  };
  const pair = () => walks.pair(model.get("sampler"), model.get("noise"));

  const noises = choiceBar(
    "noise",
    Array.from({ length: walks.noises }, (_, i) => [i, String(i + 1)]),
    (noise) => choose({ noise }),
  );
  const samplers = choiceBar("sampler", walks.samplers.map((s) => [s, s]), (sampler) => choose({ sampler }));

  // The networks side by side: what they have above, what they make of it below.
  const kinds = [["state", "x"], ["guess", "f(x)"]];
  const pictures = kinds.flatMap(([kind, letter], which) =>
    networks.map((name, i) => {
      const canvas = element("canvas", { class: "gx-image", role: "img" });
      const caption = element("div", { class: "gx-caption" });
      const node = element("div", { class: `gx-picture gx-${kind}-${i}` }, canvas, caption);
      return { title: `${name}: ${kind} ${letter}`, which, i, canvas, caption, node };
    }),
  );

  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  const play = element("button", { type: "button", class: "gx-best gx-play", click: () => press() });
  const where = element("span", { class: "gx-of gx-value" });
  const sliderId = freshId();
  const keys = {
    ArrowRight: (m) => m + 1, ArrowUp: (m) => m + 1, ArrowLeft: (m) => m - 1, ArrowDown: (m) => m - 1,
    PageUp: (m) => m + 4, PageDown: (m) => m - 4, Home: () => 0, End: () => frames - 1,
  };
  const slider = element("input", {
    type: "range", class: "gx-slider", id: sliderId, min: 0, max: frames - 1, step: 1,
    input: () => move(slider.valueAsNumber),
  });
  onKeys(slider, keys, (next) => move(next(model.get("moment"))));
  const plot = element("canvas", { class: "gx-plot", role: "img" });
  const summary = element("p", { class: "gx-summary" });
  const { root, voice } = explorerFrame(
    "sampler",
    "two networks sample from equal noise",
    element("div", { class: "gx-controls" }, noises.group, samplers.group),
    element(
      "div",
      { class: "gx-body" },
      element(
        "div",
        { class: "gx-seen" },
        element("div", { class: "gx-pictures" }, ...pictures.map(({ node }) => node)),
        summary,
      ),
      element(
        "div",
        { class: "gx-plots" },
        element("div", { class: "gx-kept" }, element("label", { for: sliderId }, "moment"), where, play),
        slider, plot,
      ),
    ),
  );
  root.style.setProperty("--gx-left", `${PLOT_MARGIN.left}px`);
  root.style.setProperty("--gx-right", `${PLOT_MARGIN.right}px`);

  /** Play the path or pause it; where the reader wants no motion, show its next moment. */
  function press() {
    const next = (model.get("moment") + 1) % frames;
    if (still.matches) go(next);
    else if (timer) stop();
    else {
      if (next === 0) go(0);
      timer = setInterval(() => {
        go(model.get("moment") + 1);
        if (model.get("moment") === frames - 1) stop();
      }, PACE);
    }
    drawing.schedule();
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    drawing.schedule();
  }

  function draw() {
    const view = {
      ...pair(),
      networks,
      noise: model.get("noise"),
      sampler: model.get("sampler"),
      moment: model.get("moment"),
      colours: palette(root),
    };
    showControls(view);
    showPictures(view);
    showWords(view);
    if (plot.clientWidth) drawPlot(plot, view);
  }

  function showControls({ noise, sampler, moment, levels }) {
    noises.show(noise);
    samplers.show(sampler);
    slider.value = moment;
    slider.setAttribute("aria-valuetext", `${moment + 1} of ${frames}, noise level ${digits(levels[moment])}`);
    where.textContent = `${moment + 1} of ${frames}, σ ≤ ${digits(levels[moment])}`;
    const text = still.matches ? "next ▸" : timer ? "❚❚ pause" : "▶ play";
    if (play.textContent !== text) play.textContent = text;
  }

  function showPictures({ paths, moment }) {
    for (const { title, which, i, canvas, caption } of pictures) {
      const { steps, sigmas, total } = paths[i];
      paintGrey(canvas, walks.picture(paths[i], moment, which), walks.width);
      const fact = which ? "" : `σ = ${digits(sigmas[moment])}`;
      const step = which ? "" : `step ${steps[moment]} of ${total}`;
      canvas.setAttribute("aria-label", [title, fact, step].filter(Boolean).join(", "));
      const facts = [fact, step].filter(Boolean).map((text) => element("span", { class: "gx-value" }, text));
      caption.replaceChildren(element("span", { class: "gx-title" }, title), ...facts);
    }
  }

  function showWords({ noise, sampler, moment, levels, cosines, paths }) {
    const cosine = cosines[moment].toFixed(2);
    const now = `Moment ${moment + 1} of ${frames}, noise level ${digits(levels[moment])}: cosine of the guesses ${cosine}`;
    const there = paths.map(({ steps, total }, i) => `${networks[i]} at step ${steps[moment]} of ${total}`);
    const sentences = [
      `Noise ${noise + 1}, ${sampler}. ${now}.`,
      `${there.join(", ")}.`,
      moment < frames - 1
        ? `Of the samples, at the end: ${cosines[frames - 1].toFixed(2)}.`
        : "These guesses are the samples.",
      "States are drawn from their smallest number to their largest, guesses from 0 to their largest.",
    ];
    summary.textContent = [sentences[0], ...sentences.slice(2)].join(" ");
    plot.setAttribute("aria-label", `Cosine at every moment, noise at every step. ${sentences.slice(0, 3).join(" ")}`);
    voice.say(now);
  }

  let panel = 0; // stays the same until the hand lets go
  plot.addEventListener("pointerdown", (event) => {
    if (!event.button) panel = panelUnder(event.clientY, plot);
  });
  onDrag(plot, (event) => move(momentUnder(event.clientX, panel, plot, pair())));
  still.addEventListener("change", stop);
  el.append(root);
  draw();
  const drawing = drawOnChange(model, ["noise", "sampler", "moment"], [plot], draw);
  return () => {
    drawing.stop();
    still.removeEventListener("change", stop);
    voice.hush();
    clearInterval(timer);
  };
}

/** Two digits that count, as in 0.50, 0.052 and 0.0098. */
function digits(value) {
  return value >= 1e-4 ? value.toFixed(Math.max(0, 1 - Math.floor(Math.log10(value)))) : value.toExponential(1);
}

export default { render };
