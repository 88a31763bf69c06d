// The front end of memorization_explorer.py: its controls, pictures and words. In front of it come
// draw.js, explorer_frame.js and memorization_plot.js.

const PICTURES = ["nearest of A", "sample of A", "sample of B", "nearest of B"];
const PARTS = ["nearest-a", "sample-a", "sample-b", "nearest-b"];

/** The explorer: builds its controls once, and draws all of it after each change. */
function render({ model, el }) {
  const pairs = new Pairs(model.get("_data"));
  const last = pairs.pairs - 1;
  const choose = chooser(model);
  const pick = (pair) => choose({ pair: Math.min(Math.max(pair, 0), last) });

  const keys = {
    ArrowRight: (k) => k + 1, ArrowUp: (k) => k + 1, ArrowLeft: (k) => k - 1, ArrowDown: (k) => k - 1,
    PageUp: (k) => k + 8, PageDown: (k) => k - 8, Home: () => 0, End: () => last,
  };

  /** Have keys move among the pairs, in the order that `order` returns. */
  function moveByKeys(node, order) {
    onKeys(node, keys, (next) => {
      const pairsInOrder = order();
      const place = next(pairsInOrder.indexOf(model.get("pair")));
      pick(pairsInOrder[Math.min(Math.max(place, 0), last)]);
    });
  }

  const sizes = choiceBar(
    "training images of each network, N",
    pairs.sizes.map((n) => [n, n.toLocaleString("en")]),
    (n) => choose({ n_train: n }),
  );
  const bySeed = Array.from({ length: pairs.pairs }, (_, k) => k);
  const sliderId = freshId();
  const slider = element("input", {
    type: "range", class: "gx-slider", id: sliderId, min: 0, max: last, step: 1,
    input: () => pick(slider.valueAsNumber),
  });
  moveByKeys(slider, () => bySeed);
  const count = element("span", { class: "gx-value" });

  const pictures = PICTURES.map((title, i) => {
    const canvas = element("canvas", { class: "gx-image", role: "img" });
    const missing = element("span", { class: "gx-missing" });
    const caption = element("span", { class: "gx-caption" }, title);
    const node = element("div", { class: `gx-picture gx-${PARTS[i]}` }, canvas, missing, caption);
    missing.hidden = true;
    return { title, canvas, missing, node };
  });
  const links = ["own", "twins", "own"].map((kind) =>
    element("span", { class: `gx-link gx-link-${kind} gx-value` }),
  );

  const histograms = [
    { kind: "twins", name: "signal", title: "sample of A and its twin, of B" },
    { kind: "own", name: "noise", title: "sample of A and its nearest training image", outline: "a new real image and its nearest" },
  ].map(({ kind, name, title, outline }) => {
    const canvas = element("canvas", {
      class: "gx-plot gx-histogram", role: "slider", tabindex: 0, "aria-valuemin": pairs.low, "aria-valuemax": 1,
      "aria-label": `Pairs in the order of their similarity: ${title}`,
    });
    moveByKeys(canvas, () => pairs.order(kind, model.get("n_train")));
    onDrag(canvas, (event) => {
      const n = model.get("n_train");
      pick(pairs.nearestPair(kind, n, cosineUnder(event.clientX, canvas, pairs.low)));
    });
    const legend = element("span", { class: "gx-legend" }, element("span", { class: `gx-swatch gx-swatch-${name}` }), title);
    const second = outline
      ? element("span", { class: "gx-legend" }, element("span", { class: "gx-swatch gx-swatch-outline" }), outline)
      : element("span", { class: "gx-legend" }, "▾ median for each N");
    const head = element("div", { class: "gx-heading" }, legend, second);
    return { kind, name, canvas, node: element("div", { class: `gx-plots gx-of-${kind}` }, head, canvas) };
  });

  const summary = element("p", { class: "gx-summary" });
  const { root, voice } = explorerFrame(
    "memorization",
    "copies and twins",
    element(
      "div",
      { class: "gx-controls" },
      sizes.group,
      element(
        "div",
        { class: "gx-control gx-wide" },
        element("label", { class: "gx-label", for: sliderId }, "noise that both start from: ", count),
        slider,
      ),
    ),
    element("div", { class: "gx-four" }, ...pictures.map(({ node }) => node)),
    element("div", { class: "gx-links" }, ...links),
    element("div", { class: "gx-body" }, ...histograms.map(({ node }) => node)),
    summary,
  );
  root.style.setProperty("--gx-left", "11px");
  root.style.setProperty("--gx-right", "11px");

  function draw() {
    const [n, pair] = [model.get("n_train"), model.get("pair")];
    const view = { n, pair, own: pairs.values("own", n)[pair], twins: pairs.values("twins", n)[pair], ofB: pairs.ofB(n, pair) };
    sizes.show(n);
    slider.value = pair;
    slider.setAttribute("aria-valuetext", `pair ${pair + 1} of ${pairs.pairs}`);
    count.textContent = `${pair + 1} of ${pairs.pairs}`;
    showPictures(view);
    showWords(view);
    const colours = { ...palette(root), field: getComputedStyle(root).getPropertyValue("--gx-field").trim() };
    for (const { kind, name, canvas } of histograms) {
      canvas.setAttribute("aria-valuenow", view[kind].toFixed(3));
      canvas.setAttribute("aria-valuetext", `cosine ${view[kind].toFixed(2)}, pair ${pair + 1}`);
      if (canvas.clientWidth) drawHistogram(canvas, pairs, kind, { n, pair, colours, colour: colours[name] });
    }
  }

  function showPictures({ n, pair, own, twins, ofB }) {
    pictures.forEach(({ title, canvas, missing }, i) => {
      const values = pairs.picture(n, pair, i);
      canvas.hidden = !values;
      missing.hidden = Boolean(values);
      const label = i === 0 ? `${title}, training image ${pairs.number(n, pair) + 1}` : title;
      canvas.setAttribute("aria-label", `${label}, N = ${n}, pair ${pair + 1}`);
      if (values) paintGrey(canvas, values, pairs.width);
      else if (i === 0) missing.textContent = `Image ${(pairs.number(n, pair) + 1).toLocaleString("en")} of A is not in the package`;
      else missing.textContent = "Not all of B’s images are in the package";
    });
    [own, twins, ofB].forEach((cosine, i) => {
      links[i].textContent = Number.isNaN(cosine) ? "unknown" : `cos ${cosine.toFixed(2)}`;
    });
  }

  function showWords({ n, pair, own, twins, ofB }) {
    const all = pairs.values("own", n);
    const closer = pairs.values("twins", n).filter((v, k) => v > all[k]).length;
    const named = `N = ${n.toLocaleString("en")}, pair ${pair + 1}`;
    const now = `cosine ${own.toFixed(2)} with the nearest training image, ${twins.toFixed(2)} with its twin`;
    const sentences = [
      `${named}: the sample of A has ${now}.`,
      `Of ${all.length} samples of A, ${closer} are closer to the twin than to any training image of A.`,
    ];
    if (pictures.some(({ canvas }) => canvas.hidden)) {
      sentences.push(`Only the first ${pairs.stored} training images of each half come with the package.`);
      if (Number.isNaN(ofB)) sentences.push("Which of B’s is the nearest was not searched.");
    }
    summary.textContent = sentences.join(" ");
    voice.say(`${named}: ${now}`);
  }

  el.append(root);
  draw();
  const canvases = histograms.map(({ canvas }) => canvas);
  const { stop } = drawOnChange(model, ["n_train", "pair"], canvases, draw);
  return () => {
    stop();
    voice.hush();
  };
}

export default { render };
