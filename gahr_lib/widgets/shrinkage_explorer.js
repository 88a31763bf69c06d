// The front end of shrinkage_explorer.py: numbers first, then the explorer itself.
// Letters are those of the book: x clean, y noisy, e_k basis vectors, lambda_k factors, M kept.

/** Reads what Python packed, and computes from it what the explorer shows. */
class Numbers {
  #cache = new Map();

  constructor(data) {
    this.width = data.width;
    this.size = data.width * data.height;
    this.names = data.names;
    this.sigmas = data.sigmas;
    this.images = floats(data.images);
    this.noise = floats(data.noise);
    this.fixed = Object.fromEntries(
      Object.entries(data.fixed).map(([name, basis]) => [name, this.#readFixed(basis)]),
    );
    const { counts, mse, codes, scales, clean, noisy, factors } = data.network;
    const offsets = counts.map((_, i) => counts.slice(0, i).reduce((a, b) => a + b, 0));
    this.network = { counts, offsets, mse, codes: signedBytes(codes), scales: floats(scales) };
    Object.assign(this.network, { clean: floats(clean), noisy: floats(noisy), factors: floats(factors) });
  }

  #place(image, sigma) {
    return image * this.sigmas.length + this.sigmas.indexOf(sigma);
  }

  /** The error of the network's own answer f(y). */
  answer(image, sigma) {
    return this.network.mse[this.#place(image, sigma)];
  }

  #readFixed(basis) {
    const read = { pairs: integers(basis.pairs), order: integers(basis.order) };
    for (const name of ["columns", "rows", "signs", "clean", "noise"]) read[name] = floats(basis[name]);
    return read;
  }

  clean(image) {
    return this.images.subarray(image * this.size, (image + 1) * this.size);
  }

  noisy(image, sigma) {
    const start = image * this.size;
    return this.clean(image).map((x, i) => x + sigma * this.noise[start + i]);
  }

  /** Coefficients, factors and errors of one image at one noise level in one basis, in order. */
  shrinkage(image, sigma, basis) {
    const key = `${image} ${sigma} ${basis}`;
    if (!this.#cache.has(key)) {
      const own = basis === "network" ? this.#inNetwork(image, sigma) : this.#inFixed(image, sigma, basis);
      const ones = own.factors.map(() => 1);
      own.errors = {
        projection: this.#errors(own, ones),
        shrinkage: this.#errors(own, own.factors),
      };
      this.#cache.set(key, own);
    }
    return this.#cache.get(key);
  }

  #inFixed(image, sigma, name) {
    const basis = this.fixed[name];
    const own = (array) => array.subarray(image * this.size, (image + 1) * this.size);
    const noise = own(basis.noise);
    const clean = own(basis.clean);
    return {
      clean,
      noisy: clean.map((c, k) => c + sigma * noise[k]),
      factors: clean.map((c) => (c * c) / (c * c + sigma * sigma)), // equation 11
      most: this.size,
      vector: (k) => this.#product(basis, own(basis.order)[k]),
      sum: (weights) => this.#sumOfProducts(basis, own(basis.order), weights),
    };
  }

  #inNetwork(image, sigma) {
    const { network } = this;
    const place = this.#place(image, sigma);
    const own = (array) => array.subarray(place * this.size, (place + 1) * this.size);
    const vector = (k) => {
      const start = network.offsets[place] + k;
      const codes = network.codes.subarray(start * this.size, (start + 1) * this.size);
      const scale = network.scales[start] / 127 ** 2; // `quantize` in _front_end.py says why squares
      return Float32Array.from(codes, (code) => scale * code * Math.abs(code));
    };
    const sum = (weights) => {
      const total = new Float32Array(this.size);
      weights.forEach((weight, k) => vector(k).forEach((v, i) => (total[i] += weight * v)));
      return total;
    };
    const [clean, noisy, factors] = [network.clean, network.noisy, network.factors].map(own);
    return { clean, noisy, factors, most: network.counts[place], vector, sum };
  }

  /** The image of vector `index` of a fixed basis, a column times a row. */
  #product({ columns, rows, pairs, signs }, index) {
    const height = this.size / this.width;
    const [column, row] = [pairs[2 * index] * height, pairs[2 * index + 1] * this.width];
    return Float32Array.from(
      { length: this.size },
      (_, i) => signs[index] * columns[column + Math.floor(i / this.width)] * rows[row + (i % this.width)],
    );
  }

  /** sum_k weights[k] e_k: weights gathered by row first, then one product with the rows. */
  #sumOfProducts(basis, order, weights) {
    const { width } = this;
    const height = this.size / width;
    const { columns, rows, pairs, signs } = basis;
    const byRow = new Float64Array((rows.length / width) * height);
    weights.forEach((weight, k) => {
      const index = order[k];
      const [column, row] = [pairs[2 * index] * height, pairs[2 * index + 1] * height];
      for (let i = 0; i < height; i++) byRow[row + i] += weight * signs[index] * columns[column + i];
    });
    const total = new Float32Array(this.size);
    for (let r = 0; r < rows.length / width; r++) {
      for (let i = 0; i < height; i++) {
        const weight = byRow[r * height + i];
        for (let j = 0; j < width; j++) total[i * width + j] += weight * rows[r * width + j];
      }
    }
    return total;
  }

  /**
   * Mean squared error per pixel for M = 0 ... d and this noise, and its parts: signal lost and noise
   * kept, whose means are those of equations 11 and 12. Without shrinkage they add up to it exactly.
   */
  #errors({ clean, noisy }, factors) {
    const d = this.size;
    const [total, lost, kept] = [0, 1, 2].map(() => new Float64Array(d + 1));
    for (let k = d - 1; k >= 0; k--) lost[k] = lost[k + 1] + clean[k] ** 2 / d; // the tail
    let [sumTotal, sumLost, sumKept] = [0, 0, 0];
    total[0] = lost[0];
    for (let k = 0; k < d; k++) {
      sumTotal += (clean[k] - factors[k] * noisy[k]) ** 2 / d;
      sumLost += ((1 - factors[k]) * clean[k]) ** 2 / d;
      sumKept += (factors[k] * (noisy[k] - clean[k])) ** 2 / d;
      total[k + 1] = sumTotal + lost[k + 1];
      lost[k + 1] += sumLost;
      kept[k + 1] = sumKept;
    }
    return { total, lost, kept };
  }
}

/** An error as PSNR; an image of nothing is kept without any. */
function inDecibels(error, digits = 1) {
  return error > 0 ? `${(-10 * Math.log10(error)).toFixed(digits)} dB` : "∞ dB";
}

/** The explorer: builds its controls once, and draws all of it after each change. */
function render({ model, el }) {
  const numbers = new Numbers(model.get("_data"));
  const { size, width } = numbers;
  const choose = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };
  const shown = () => numbers.shrinkage(model.get("image"), model.get("sigma"), model.get("basis"));
  const keep = (m) => choose("kept", Math.min(Math.max(Math.round(m), 0), shown().most));

  // The horizontal axis of plots and slider: log(1 + M), so that M = 0 has a place too.
  const position = (m) => Math.log1p(m) / Math.log1p(size);
  const atPosition = (p) => Math.expm1(p * Math.log1p(size));
  const steps = 1000;
  const keys = {
    ArrowRight: (m) => m + 1, ArrowUp: (m) => m + 1, ArrowLeft: (m) => m - 1, ArrowDown: (m) => m - 1,
    PageUp: (m) => Math.max(m + 1, m * 1.25), PageDown: (m) => Math.min(m - 1, m / 1.25),
    Home: () => 0, End: () => size,
  };

  const imageId = freshId();
  const image = element(
    "select",
    { id: imageId, change: () => choose("image", image.selectedIndex) },
    ...numbers.names.map((name) => element("option", {}, name)),
  );
  const sigmas = choiceBar("noise σ", numbers.sigmas.map((s) => [s, String(s)]), (s) => choose("sigma", s));
  const basis = choiceBar(
    "basis",
    [["cosine", "cosine"], ["wavelet", "wavelet"], ["network", "network’s"]],
    (value) => choose("basis", value),
  );
  const factors = choiceBar(
    "kept ones times",
    [["projection", "1"], ["shrinkage", "oracle λₖ"]],
    (value) => choose("factors", value),
  );

  const pictures = ["clean", "noisy", "denoised", "vector"].map((name) => {
    const canvas = element("canvas", { class: "gx-image", role: "img" });
    const caption = element("span", { class: "gx-caption" });
    return { name, canvas, caption, node: element("div", { class: `gx-picture gx-${name}` }, canvas, caption) };
  });

  const numberId = freshId();
  const number = element("input", {
    type: "number", id: numberId, min: 0, step: 1, inputmode: "numeric",
    input: () => number.value !== "" && keep(number.valueAsNumber),
    change: () => schedule(),
  });
  const best = element("button", { type: "button", class: "gx-best", click: () => keep(bestKept()) }, "○ best M");
  const slider = element("input", {
    type: "range", class: "gx-slider", min: 0, max: steps, step: 1,
    "aria-label": "M, the number of coefficients kept",
    input: () => {
      keep(atPosition(slider.valueAsNumber / steps));
      schedule(); // M may have been at its end before, while the thumb went on
    },
    keydown: (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation(); // arrows turn slides and move cells elsewhere on the page
      keep(keys[event.key](Math.min(model.get("kept"), shown().most)));
    },
  });
  const plot = element("canvas", { class: "gx-plot", role: "img" });
  const summary = element("p", { class: "gx-summary" });
  const live = element("p", { class: "gx-hidden", "aria-live": "polite" });
  const root = element(
    "div",
    { class: "gx-explorer", role: "group", "aria-label": "Explorer: denoising as shrinkage" },
    element(
      "div",
      { class: "gx-controls" },
      element("div", { class: "gx-control" }, element("label", { class: "gx-label", for: imageId }, "image"), image),
      sigmas.group, basis.group, factors.group,
    ),
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
          element("label", { for: numberId }, "keep M ="), number,
          element("span", { class: "gx-of" }, `of ${size}`), best,
        ),
        slider, plot,
      ),
    ),
    live,
  );

  const margin = { left: 42, right: 44 }; // of the plot; the style sheet places the slider by them
  root.style.setProperty("--gx-left", `${margin.left}px`);
  root.style.setProperty("--gx-right", `${margin.right}px`);

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
    if (plot.clientWidth) drawPlot(view);
  }

  function showControls({ sigma, basis: name, factors: mode, m, own, ...state }) {
    image.selectedIndex = state.image;
    sigmas.show(sigma);
    basis.show(name);
    factors.show(mode);
    factors.rename("shrinkage", name === "network" ? "eigenvalue λₖ" : "oracle λₖ");
    // Not while it is empty under somebody's hands, nor for nothing: that would move the cursor.
    const typing = document.activeElement === number && number.value === "";
    if (!typing && number.value !== String(m)) number.value = m;
    number.max = own.most;
    slider.value = Math.round(position(m) * steps);
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

  let announcement;
  function showWords({ own, m, errors, best: least, answer, ...state }) {
    const bases = { cosine: "cosine basis", wavelet: "wavelet basis", network: "the network’s basis" };
    const now = `M = ${m} of ${size} kept, PSNR ${inDecibels(errors.total[m])}`;
    const sentences = [
      `${capitalized(numbers.names[state.image])}, σ = ${state.sigma}, ${bases[state.basis]}: ${now}.`,
      `Best: M = ${least}, ${inDecibels(errors.total[least])}.`,
      `The network itself, f(y): ${inDecibels(answer)}.`,
    ];
    if (state.basis === "network") {
      sentences.push(
        state.factors === "shrinkage"
          ? "What the sum misses of f(y) is the part of the Jacobian that is not symmetric."
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
    best.disabled = m === least;
    clearTimeout(announcement); // spoken when the hand rests, not at every step on the way
    announcement = setTimeout(() => (live.textContent = now), 500);
  }

  function drawPlot({ own, m, errors, colours, best: least, answer, sigma, ...state }) {
    const { context: c, width: across, height } = clearCanvas(plot);
    const wide = { left: margin.left, width: across - margin.left - margin.right };
    const x = (k) => wide.left + wide.width * position(Math.max(k, 0));
    const [legend, axis] = [22, 36];
    const powers = ["1", "0.1", "0.01", "0.001", "10⁻⁴", "10⁻⁵", "10⁻⁶"];
    const free = height - 3 * legend - axis - 16;
    const boxes = [];
    let top = legend;
    for (const share of [0.38, 0.2, 0.42]) {
      boxes.push({ ...wide, top, height: free * share });
      top += free * share + legend + 8;
    }
    const bottom = boxes[2].top + boxes[2].height;
    c.fillStyle = colours.grid; // what is not kept lies in the shade
    c.globalAlpha = 0.45;
    for (const box of boxes) c.fillRect(x(m), box.top, wide.left + wide.width - x(m), box.height);
    c.globalAlpha = 1;
    const panels = [coefficients, shrinkageFactors, errorCurve].map((fill, i) => fill(boxes[i]));

    function coefficients(box) {
      const high = 1.5 * Math.max(...own.clean.map(Math.abs), ...own.noisy.map(Math.abs));
      const panel = new Panel(c, box, x, logarithmic(sigma / 20, high, box), colours);
      for (const v of [0.001, 0.01, 0.1, 1, 10, 100]) panel.tick(v, String(v), "left");
      panel.tick(sigma, "σ", "right");
      panel.across(sigma, colours.noise, { dash: [4, 3] });
      panel.dots(own.noisy.map(Math.abs), colours.noise);
      const clean = own.clean.map(Math.abs);
      // Largest first they make a curve; in the order of the eigenvalues they are a cloud.
      if (state.basis === "network") panel.dots(clean, colours.signal);
      else panel.line(clean, colours.signal, { first: 1, width: 2 });
      const mark = state.basis === "network" ? "dot" : "line";
      panel.legend([["|⟨x, eₖ⟩| clean", colours.signal, mark], ["|⟨y, eₖ⟩| noisy", colours.noise, "dot"]]);
      return panel;
    }

    function shrinkageFactors(box) {
      const high = Math.max(1.15, 1.05 * own.factors[0]);
      const panel = new Panel(c, box, x, linear(0, high, box), colours);
      [0, 1].forEach((v) => panel.tick(v, String(v), "left"));
      const used = own.factors.subarray(0, m).map((v) => (state.factors === "shrinkage" ? Math.max(v, 0) : 1));
      c.globalAlpha = 0.5;
      panel.bars(used, colours.factor);
      c.globalAlpha = 1;
      panel.line(own.factors, colours.factor, { first: 1, width: 2 });
      panel.legend([["factors λₖ", colours.factor, "line"], ["factors used", colours.factor, "bar"]]);
      return panel;
    }

    function errorCurve(box) {
      const high = 1.3 * Math.max(errors.total[0], errors.total[size]);
      const low = Math.max(Math.min(errors.total[least], answer) / 3, 1e-8);
      const panel = new Panel(c, box, x, logarithmic(low, high, box), colours);
      for (let level = 0; level <= 60; level += 5) panel.tick(10 ** (-level / 10), `${level} dB`, "right");
      for (let level = 0; level <= 60; level += 10) panel.tick(10 ** (-level / 10), powers[level / 10], "left");
      panel.line(errors.lost, colours.signal, { dash: [5, 3] });
      panel.line(errors.kept, colours.noise, { dash: [5, 3] });
      if (answer > low) panel.across(answer, colours.factor, { width: 2, dash: [2, 3] });
      panel.line(errors.total, colours.text, { width: 2.5 });
      panel.legend([
        ["error", colours.text, "line"], ["signal lost", colours.signal, "dash"],
        ["noise kept", colours.noise, "dash"], ["f(y)", colours.factor, "dash"],
      ]);
      return panel;
    }

    // The cut through all three panels, and where it meets the error.
    c.fillStyle = colours.text;
    for (const box of boxes) c.fillRect(x(m) - 0.75, box.top, 1.5, box.height);
    const last = panels[2];
    dot(c, x(least), last.y(errors.total[least]), 4, colours.zero, colours.text);
    dot(c, x(m), last.y(errors.total[m]), 5, colours.text, colours.zero);
    let nextLabel = -Infinity;
    for (const k of [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].filter((k) => k <= size)) {
      if (x(k) < nextLabel) continue;
      last.text(String(k), x(k), bottom + 10, { align: "center", colour: colours.muted });
      nextLabel = x(k) + 24;
    }
    last.text("k, number of coefficients M", wide.left + wide.width / 2, bottom + 26, {
      align: "center", colour: colours.muted,
    });
  }

  let due = 0;
  function schedule() {
    due ||= requestAnimationFrame(() => {
      due = 0;
      draw();
    });
  }

  const drag = (event) => {
    const { left, width: across } = plot.getBoundingClientRect();
    keep(atPosition((event.clientX - left - margin.left) / (across - margin.left - margin.right)));
  };
  plot.addEventListener("pointerdown", (event) => {
    plot.setPointerCapture(event.pointerId);
    drag(event);
  });
  plot.addEventListener("pointermove", (event) => plot.hasPointerCapture(event.pointerId) && drag(event));

  const names = ["image", "sigma", "basis", "kept", "factors"];
  names.forEach((name) => model.on(`change:${name}`, schedule));
  const forgetTheme = onThemeChange(draw); // at once: a page that is printed does not wait
  const sizes = new ResizeObserver(schedule);
  sizes.observe(plot);
  el.append(root);
  draw();
  return () => {
    names.forEach((name) => model.off(`change:${name}`, schedule));
    forgetTheme();
    sizes.disconnect();
    clearTimeout(announcement);
  };
}

function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function subscript(number) {
  return [...String(number)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
}

function dot(context, x, y, radius, fill, stroke) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  Object.assign(context, { fillStyle: fill, strokeStyle: stroke, lineWidth: 1.5 });
  context.fill();
  context.stroke();
}

export default { render };
