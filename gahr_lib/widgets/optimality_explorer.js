// The front end of optimality_explorer.py: its controls, pictures and words. In front of it come
// draw.js, explorer_frame.js and optimality_plane.js.

const NAMES = ["network", "wavelets", "Wiener"];

/** The explorer: builds its controls once, and draws all of it after each change. */
function render({ model, el }) {
  const scenes = new Scenes(model.get("_data"));
  const { kept, width } = scenes;
  const choose = chooser(model);

  const alphas = choiceBar("smoothness α", scenes.alphas.map((a) => [a, String(a)]), (alpha) => choose({ alpha }));
  const sigmas = choiceBar("noise σ", scenes.sigmas.map((s) => [s, String(s)]), (sigma) => choose({ sigma }));
  const { image, control } = imageChoice(scenes.names, (index) => choose({ image: index }));
  const controls = element("div", { class: "gx-controls" }, alphas.group);
  if (scenes.names.length > 1) controls.append(control);
  controls.append(sigmas.group);

  const pictures = framedPictures(["clean", "noisy", "vector", ...DENOISERS]);

  // The eigenvectors are radio buttons that look like themselves.
  const strip = freshId();
  const vectors = Array.from({ length: kept }, (_, i) => {
    const input = element("input", { type: "radio", name: strip, value: i + 1, change: () => choose({ index: i + 1 }) });
    const canvas = element("canvas", { class: "gx-image" });
    const value = element("span", { class: "gx-value" });
    return { input, canvas, value, node: element("label", { class: "gx-thumb" }, input, canvas, value) };
  });

  const legend = element("div", { class: "gx-heading" });
  const plane = element("canvas", { class: "gx-plot", role: "img" });
  const summary = element("p", { class: "gx-summary" });
  const { root, voice } = explorerFrame(
    "optimality",
    "how close to optimal",
    controls,
    element(
      "div",
      { class: "gx-body" },
      element(
        "div",
        { class: "gx-seen" },
        element("div", { class: "gx-three" }, ...pictures.map(({ node }) => node)),
        element(
          "div",
          { class: "gx-strip", role: "radiogroup", "aria-labelledby": `${strip}-label` },
          element("span", { class: "gx-label", id: `${strip}-label` }, "leading eigenvectors of the network at y, with λ"),
          ...vectors.map(({ node }) => node),
        ),
        summary,
      ),
      element("div", { class: "gx-plots" }, legend, plane),
    ),
  );

  function draw() {
    const [alpha, index, sigma, k] = ["alpha", "image", "sigma", "index"].map((name) => model.get(name));
    const scene = scenes.at(alpha, index, sigma);
    const view = { alpha, index, sigma, k, scene, lines: scenes.lines(alpha), colours: palette(root) };
    alphas.show(alpha);
    sigmas.show(sigma);
    image.selectedIndex = index;
    showPictures(view);
    showVectors(view);
    showLegend(view);
    showWords(view);
    if (plane.clientWidth) drawPlane(plane, scenes, view);
  }

  function showPictures({ scene, k, colours }) {
    const facts = {
      clean: [scene.clean, "clean x", ""],
      noisy: [scene.noisy, "noisy y", decibels(scene.psnr.noisy)],
      vector: [scene.vector(k), `e${subscript(k)}`, `λ${subscript(k)} = ${signed(scene.values[k - 1])}`],
    };
    DENOISERS.forEach((name, i) => {
      facts[name] = [scene.denoised[i], NAMES[i], decibels(scene.psnr.denoised[i])];
    });
    for (const { name, canvas, caption } of pictures) {
      const [values, title, value] = facts[name];
      if (name === "vector") paintSigned(canvas, trimmed(values), width, colours);
      else paintGrey(canvas, values, width);
      canvas.setAttribute("aria-label", `${title} ${value}`.trim());
      caption.replaceChildren(title, element("span", { class: "gx-value" }, value));
    }
  }

  function showVectors({ scene, k, colours }) {
    vectors.forEach(({ input, canvas, value }, i) => {
      paintSigned(canvas, trimmed(scene.vector(i + 1)), width, colours);
      input.checked = i + 1 === k;
      input.setAttribute("aria-label", `eigenvector ${i + 1}, eigenvalue ${signed(scene.values[i])}`);
      value.textContent = signed(scene.values[i]);
    });
  }

  function showLegend({ alpha, lines: { images, slopes, theory } }) {
    const [low, high] = scenes.fit;
    const entry = (look, text) =>
      element("span", { class: "gx-legend" }, element("span", { class: `gx-${look}` }), text);
    legend.replaceChildren(
      element("span", {}, `Mean of ${images} images of α = ${alpha}:`),
      ...NAMES.map((name, i) => entry(`line gx-line-${DENOISERS[i]}`, `${name}, slope ${slopes[i].toFixed(2)}`)),
      entry("line gx-line-theory", `slope α/(α + 1) = ${theory.toFixed(2)}, height fitted to the network`),
      entry("line gx-line-identity", "y itself"),
      entry("swatch gx-swatch-fit", `range of all fits, ${low} to ${high} dB`),
      element("span", {}, "● this image; ○ an oracle in wavelets"),
    );
  }

  function showWords({ alpha, index, sigma, k, scene, lines }) {
    const input = -20 * Math.log10(sigma);
    const list = (values) => values.map((v, i) => `${NAMES[i]} ${decibels(v)}`).join(", ");
    const means = lines.means.map((mean) => scenes.between(mean, input));
    const named = scenes.names.length > 1 ? `${scenes.names[index]}, ` : "";
    const now = list(scene.psnr.denoised);
    const sentences = [
      `${named}α = ${alpha}, σ = ${sigma}. This image: ${now}.`,
      `The best that linear shrinkage of its wavelet coefficients can do, by an oracle that knows x: ${decibels(scene.psnr.oracle)}.`,
      `Mean of ${lines.images} images at this noise: ${list(means)}.`,
    ];
    summary.textContent = sentences.join(" ");
    const slopes = NAMES.map((name, i) => `${name} ${lines.slopes[i].toFixed(2)}`).join(", ");
    plane.setAttribute(
      "aria-label",
      `Output against input PSNR. Slopes of the means from ${scenes.fit.join(" to ")} dB: ${slopes}; ` +
        `α/(α + 1) is ${lines.theory.toFixed(2)}. ${sentences[0]}`,
    );
    voice.say(`α = ${alpha}, σ = ${sigma}: ${now}; eigenvalue ${k}: ${signed(scene.values[k - 1])}`);
  }

  onDrag(plane, (event) => choose({ sigma: sigmaUnder(event.clientX, plane, scenes) }));
  el.append(root);
  draw();
  const { stop } = drawOnChange(model, ["alpha", "image", "sigma", "index"], [plane], draw);
  return () => {
    stop();
    voice.hush();
  };
}

/** A vector cut off where its largest half percent begins: a few pixels would leave the rest pale. */
function trimmed(values) {
  const sizes = Float32Array.from(values, Math.abs).sort();
  const most = sizes[Math.round(0.995 * (sizes.length - 1))];
  return values.map((v) => Math.min(Math.max(v, -most), most));
}

function decibels(value) {
  return Number.isFinite(value) ? `${value.toFixed(1)} dB` : "∞ dB";
}

export default { render };
