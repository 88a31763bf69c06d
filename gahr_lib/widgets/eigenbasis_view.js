// What the explorers of expansions share: pictures, k, spectrum and words. In front of it come
// draw.js, explorer_frame.js, eigenbasis_numbers.js and eigenbasis_plot.js, after it the file of one
// explorer.

/**
 * Builds an explorer once, and draws all of it after each change. The file of the explorer gives
 *   data      what Python packed, an Expansions: of the sizes, which stay,
 *   controls  what stands above the pictures, before the choice of the vectors,
 *   work      what stands below the controls, if anything does,
 *   traits    the names of the traits that they set,
 *   look      a function: the data now, `own` answer of it, and its network, image and sigma,
 *   show      a function of what `look` returned, that sets the controls to it.
 * The result takes the explorer off the page.
 */
function showExpansions({ model, el }, { data, controls, work = [], traits, look, show }) {
  const { kept, size, width } = data;
  const axis = spectrumAxis(size);
  const steps = 1000;
  const choose = chooser(model);
  const go = (k) => choose({ index: Math.min(Math.max(Math.round(k), 1), kept) });
  const keys = {
    ArrowRight: (k) => k + 1, ArrowUp: (k) => k + 1, ArrowLeft: (k) => k - 1, ArrowDown: (k) => k - 1,
    PageUp: (k) => Math.max(k + 1, k * 1.25), PageDown: (k) => Math.min(k - 1, k / 1.25),
    Home: () => 1, End: () => kept,
  };

  const vectors = choiceBar(
    "vectors",
    [
      ...(data.singular ? [["singular", "read and written"]] : []),
      ["eigen", "eigenvectors of (J + Jᵀ)/2"],
    ],
    (value) => choose({ vectors: value }),
  );
  const pictures = framedPictures(["clean", "noisy", "read", "written", "denoised", "output"]);

  const number = numberField({ min: 1, max: kept, change: () => schedule() }, (k) => {
    go(k);
    schedule(); // k may have been at its end before, with a number beyond it typed now
  });
  const slider = element("input", {
    type: "range", class: "gx-slider", min: 0, max: steps, step: 1,
    "aria-label": "k, which vector is shown and how many terms are added up",
    input: () => {
      go(axis.at(slider.valueAsNumber / steps));
      schedule(); // k may have been at its end before, while the thumb went on
    },
  });
  onKeys(slider, keys, (next) => go(next(model.get("index"))));
  const plot = element("canvas", { class: "gx-plot", role: "img" });
  const summary = element("p", { class: "gx-summary" });
  const { root, voice } = explorerFrame(
    "eigenbasis",
    "what a network reads and writes",
    element("div", { class: "gx-controls" }, ...controls, vectors.group),
    ...work,
    element(
      "div",
      { class: "gx-body" },
      element("div", { class: "gx-seen" }, element("div", { class: "gx-pictures" }, ...pictures.map(({ node }) => node))),
      element(
        "div",
        { class: "gx-plots" },
        element(
          "div",
          { class: "gx-kept" },
          element("label", { for: number.id }, "k ="), number.node,
          element("span", { class: "gx-of" }, kept < size ? `of ${kept} stored, ${size} in all` : `of ${size}`),
        ),
        slider, plot, summary,
      ),
    ),
  );
  root.style.setProperty("--gx-left", `${SPECTRUM_MARGIN.left}px`);
  root.style.setProperty("--gx-right", `${SPECTRUM_MARGIN.right}px`);

  function draw() {
    const [kind, k] = [model.get("vectors"), model.get("index")];
    const seen = look();
    const { own } = seen;
    const view = { ...seen, ...own, vectors: kind, k, kept, shown: own[kind], colours: palette(root) };
    view.psnr = decibelsText(view.shown.errors[k - 1]);
    show(seen);
    showK(view);
    showPictures(view);
    showWords(view);
    if (plot.clientWidth) drawSpectrum(plot, axis, view);
  }

  function showK({ vectors: kind, k }) {
    vectors.show(kind);
    number.show(k);
    slider.value = Math.round(axis.position(k) * steps);
    slider.setAttribute("aria-valuetext", `k = ${k} of ${kept}`);
  }

  function showPictures({ data, own, shown, vectors: kind, k, psnr, colours }) {
    const [s, v, u] = letters(kind, k);
    const noisyError = own.noisy.reduce((sum, y, i) => sum + (y - own.clean[i]) ** 2, 0) / size;
    const facts = {
      clean: [own.clean, "clean x", ""],
      noisy: [own.noisy, "noisy y", decibelsText(noisyError)],
      read: [shown.read(k), `read, ${v}`, `⟨y, ${v}⟩ = ${shown.coefficients[k - 1].toFixed(2)}`],
      written: [shown.written(k), `written, ${u}`, `${s} = ${signed(shown.values[k - 1])}`],
      denoised: [data.partial(own, kind, k), "sum to k", psnr],
      output: [own.output, "network, f(y)", decibelsText(own.outputError)],
    };
    for (const { name, canvas, caption } of pictures) {
      const [values, title, value] = facts[name];
      if (name === "read" || name === "written") paintSigned(canvas, values, width, colours);
      else paintGrey(canvas, values, width);
      canvas.setAttribute("aria-label", `${title} ${value}`.trim());
      caption.replaceChildren(title, element("span", { class: "gx-value" }, value));
    }
  }

  function showWords({ data, own, shown, network, image, sigma, vectors: kind, k, psnr }) {
    const [s, v, u] = letters(kind, k);
    const value = signed(shown.values[k - 1]);
    const now = `k = ${k}, ${s} = ${value}, PSNR of the sum ${psnr}`;
    const sentences = [
      `Network ${network}, ${data.names[image]}, σ = ${sigma}: ${now}; f(y) has ${decibelsText(own.outputError)}.`,
    ];
    if (kind === "singular") {
      const [read, written] = [shown.read(k), shown.written(k)];
      const cosine = read.reduce((sum, a, i) => sum + a * written[i], 0);
      sentences.push(`⟨${u}, ${v}⟩ = ${signed(cosine)}; an optimal denoiser’s would be 1.`);
    } else sentences.push("The same vector is read and written.");
    sentences.push(
      shown.gap === null
        ? `The first ${kept} of ${size} terms are known.`
        : shown.gap < 1e-4
          ? `All ${size} terms add up to f(y).`
          : `All ${size} terms miss f(y) by ${shown.gap.toPrecision(2)} (root mean square).`,
      `J is ${own.asymmetry < 1e-4 ? "" : "not "}symmetric: ‖J − Jᵀ‖/‖J + Jᵀ‖ ${shown.gap === null ? "≈" : "="} ${own.asymmetry.toFixed(2)}.`,
    );
    summary.textContent = sentences.join(" ");
    plot.setAttribute("aria-label", `Spectrum, and PSNR of the sum for every k. ${sentences.join(" ")}`);
    voice.say(now);
  }

  onDrag(plot, (event) => go(indexUnder(event.clientX, plot, axis)));
  el.append(root);
  draw();
  const { schedule, stop } = drawOnChange(model, [...traits, "vectors", "index"], [plot], draw);
  return () => {
    stop();
    voice.hush();
  };
}

/** The letters of value, read vector and written vector, with k below them. */
function letters(kind, k) {
  const all = kind === "singular" ? ["s", "v", "u"] : ["λ", "e", "e"];
  return all.map((letter) => letter + subscript(k));
}

function decibelsText(error) {
  return error > 0 ? `${decibels(error).toFixed(2)} dB` : "∞ dB";
}
