// The front end of shrinkage_explorer.py: its controls, pictures and words. In front of it come
// draw.js, explorer_frame.js, shrinkage_numbers.js and shrinkage_plot.js.

/** The explorer: builds its controls once, and draws all of it after each change. */
function render({ model, el }) {
  const numbers = new Numbers(model.get("_data"));
  const { size, width } = numbers;
  const choose = chooser(model);
  const shown = () => numbers.shrinkage(model.get("image"), model.get("sigma"), model.get("basis"));
  const keep = (m) => choose({ kept: Math.min(Math.max(Math.round(m), 0), shown().most) });

  const axis = keptAxis(size);
  const steps = 1000;
  const keys = {
    ArrowRight: (m) => m + 1, ArrowUp: (m) => m + 1, ArrowLeft: (m) => m - 1, ArrowDown: (m) => m - 1,
    PageUp: (m) => Math.max(m + 1, m * 1.25), PageDown: (m) => Math.min(m - 1, m / 1.25),
    Home: () => 0, End: () => size,
  };

  const { image, control } = imageChoice(numbers.names, (index) => choose({ image: index }));
  const sigmas = choiceBar("noise σ", numbers.sigmas.map((s) => [s, String(s)]), (sigma) => choose({ sigma }));
  const basis = choiceBar(
    "basis",
    [["cosine", "cosine"], ["wavelet", "wavelet"], ["network", "network’s"]],
    (value) => choose({ basis: value }),
  );
  const factors = choiceBar(
    "kept ones times",
    [["projection", "1"], ["shrinkage", "oracle λₖ"]],
    (value) => choose({ factors: value }),
  );

  const pictures = framedPictures(["clean", "noisy", "denoised", "vector"]);

  const number = numberField({ min: 0, change: () => schedule() }, (m) => {
    keep(m);
    schedule(); // M may have been at its end before, with a number beyond it typed now
  });
  const best = element("button", { type: "button", class: "gx-best", click: () => keep(bestKept()) }, "○ best M");
  const slider = element("input", {
    type: "range", class: "gx-slider", min: 0, max: steps, step: 1,
    "aria-label": "M, the number of coefficients kept",
    input: () => {
      keep(axis.at(slider.valueAsNumber / steps));
      schedule(); // M may have been at its end before, while the thumb went on
    },
  });
  onKeys(slider, keys, (next) => keep(next(Math.min(model.get("kept"), shown().most))));
  const plot = element("canvas", { class: "gx-plot", role: "img" });
  const summary = element("p", { class: "gx-summary" });
  const { root, voice } = explorerFrame(
    "shrinkage",
    "denoising as shrinkage",
    element("div", { class: "gx-controls" }, control, sigmas.group, basis.group, factors.group),
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
        element(
          "div",
          { class: "gx-kept" },
          element("label", { for: number.id }, "keep M ="), number.node,
          element("span", { class: "gx-of" }, `of ${size}`), best,
        ),
        slider, plot,
      ),
    ),
  );

  root.style.setProperty("--gx-left", `${PLOT_MARGIN.left}px`);
  root.style.setProperty("--gx-right", `${PLOT_MARGIN.right}px`);

  function bestKept() {
    const { errors, most } = shown();
    const { total } = errors[model.get("factors")];
    let least = 0;
    for (let m = 1; m <= most; m++) if (total[m] < total[least]) least = m;
    return least;
  }

  function draw() {
    const state = Object.fromEntries(
      ["image", "sigma", "basis", "factors"].map((name) => [name, model.get(name)]),
    );
    const own = shown();
    const m = Math.min(model.get("kept"), own.most);
    const view = {
      ...state, own, m,
      errors: own.errors[state.factors],
      best: bestKept(),
      answer: numbers.answer(state.image, state.sigma),
      colours: palette(root),
    };
    showControls(view);
    showPictures(view);
    showWords(view);
    if (plot.clientWidth) drawPlot(plot, axis, view);
  }

  function showControls({ sigma, basis: name, factors: mode, m, own, ...state }) {
    image.selectedIndex = state.image;
    sigmas.show(sigma);
    basis.show(name);
    factors.show(mode);
    factors.rename("shrinkage", name === "network" ? "eigenvalue λₖ" : "oracle λₖ");
    number.show(m);
    number.node.max = own.most;
    slider.value = Math.round(axis.position(m) * steps);
    slider.setAttribute("aria-valuetext", `M = ${m} of ${size}`);
  }

  function showPictures({ own, m, colours, errors, ...state }) {
    const used = state.factors === "shrinkage" ? own.factors : null;
    const weights = own.noisy.subarray(0, m).map((c, k) => (used ? used[k] * c : c));
    const noisy = numbers.noisy(state.image, state.sigma);
    const clean = numbers.clean(state.image);
    const inputError = noisy.reduce((sum, v, i) => sum + (v - clean[i]) ** 2, 0) / size;
    const [psnr, input] = [errors.total[m], inputError].map((error) => inDecibels(error, 2));
    const facts = {
      clean: [clean, "clean x", ""],
      noisy: [noisy, "noisy y", input],
      denoised: [own.sum(weights), "denoised", psnr],
      vector: m
        ? [own.vector(m - 1), `last kept, e${subscript(m)}`, `λ = ${own.factors[m - 1].toFixed(2)}`]
        : [new Float32Array(size), "nothing kept", ""],
    };
    for (const { name, canvas, caption } of pictures) {
      const [values, title, value] = facts[name];
      if (name === "vector") paintSigned(canvas, values, width, colours);
      else paintGrey(canvas, values, width);
      canvas.setAttribute("aria-label", `${title} ${value}`.trim());
      caption.replaceChildren(title, element("span", { class: "gx-value" }, value));
    }
  }

  function showWords({ own, m, errors, best: least, answer, ...state }) {
    const bases = { cosine: "cosine basis", wavelet: "wavelet basis", network: "the network’s basis" };
    const now = `M = ${m} of ${size} kept, PSNR ${inDecibels(errors.total[m])}`;
    const sentences = [
      `${capitalized(numbers.names[state.image])}, σ = ${state.sigma}, ${bases[state.basis]}: ${now}.`,
      `Best: M = ${least}, ${inDecibels(errors.total[least])}.`,
      `The network itself, f(y): ${inDecibels(answer)}.`,
    ];
    if (state.basis === "network") {
      const gap = Math.abs(Math.log10(own.errors.shrinkage.total[size] / answer)); // in tens of dB
      sentences.push(
        state.factors === "shrinkage" && gap > 0.01
          ? "Even all coefficients do not add up to f(y), because its Jacobian is not symmetric."
          : "The largest eigenvalues come first.",
      );
      if (m === own.most) sentences.push(`More than ${m} eigenvectors are not stored here.`);
    } else if (state.factors === "shrinkage") {
      sentences.push("An oracle: order and factors are computed from the clean image.");
    } else {
      sentences.push("The largest coefficients of the clean image come first.");
    }
    summary.textContent = sentences.join(" ");
    plot.setAttribute("aria-label", `Coefficients, factors and error for every M. ${sentences.join(" ")}`);
    voice.say(now);
  }

  onDrag(plot, (event) => keep(keptUnder(event.clientX, plot, axis)));
  el.append(root);
  draw();
  const names = ["image", "sigma", "basis", "kept", "factors"];
  const { schedule, stop } = drawOnChange(model, names, [plot], draw);
  return () => {
    stop();
    voice.hush();
  };
}

function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export default { render };
