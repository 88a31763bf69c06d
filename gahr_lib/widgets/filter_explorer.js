// The front end of filter_explorer.py: its controls, pictures and words. In front of it come
// draw.js, explorer_frame.js and filter_numbers.js.

/** The explorer: builds its controls once, and draws all of it after each change. */
function render({ model, el }) {
  const numbers = new FilterNumbers(model.get("_data"));
  const { width, height } = numbers;
  const choose = chooser(model);
  const go = (row, column) => {
    const inside = (place, length) => Math.min(Math.max(place, 0), length - 1);
    choose({ row: inside(row, height), column: inside(column, width) });
  };
  const jump = Math.max(2, Math.round(height / 4));
  const keys = {
    ArrowUp: (r, c) => [r - 1, c], ArrowDown: (r, c) => [r + 1, c],
    ArrowLeft: (r, c) => [r, c - 1], ArrowRight: (r, c) => [r, c + 1],
    PageUp: (r, c) => [r - jump, c], PageDown: (r, c) => [r + jump, c],
    Home: (r) => [r, 0], End: (r) => [r, width - 1],
  };

  const { image, control } = imageChoice(numbers.names, (index) => choose({ image: index }));
  const sigmas = choiceBar("noise σ", numbers.sigmas.map((s) => [s, String(s)]), (sigma) => choose({ sigma }));
  const controls = element("div", { class: "gx-controls" });
  if (numbers.names.length > 1) controls.append(control);
  if (numbers.sigmas.length > 1) controls.append(sigmas.group);

  const names = ["noisy", "clean", "denoised", "row", "column"];
  if (numbers.reference) names.push("reference");
  const pictures = framedPictures(names).map((picture) => {
    const facts = element("span", { class: "gx-facts" });
    picture.canvas.classList.add("gx-pick");
    picture.node.append(facts);
    return { ...picture, facts };
  });
  // One of the pictures takes the keyboard; the pointer may pick on all of them.
  const picker = pictures[0].canvas;
  const attributes = {
    role: "slider", tabindex: 0, "aria-roledescription": "pixel picker",
    "aria-label": "Pixel of the noisy image, by row and column",
    "aria-valuemin": 0, "aria-valuemax": numbers.size - 1,
  };
  for (const [name, value] of Object.entries(attributes)) picker.setAttribute(name, value);
  keepKeys(picker);
  onKeys(picker, keys, (next) => go(...next(model.get("row"), model.get("column"))));
  for (const { canvas } of pictures) {
    onDrag(canvas, (event) => {
      const box = canvas.getBoundingClientRect();
      const share = (at, start, length, count) => Math.floor(((at - start) / length) * count);
      // The border of a canvas is a pixel of the screen: too little to matter.
      go(share(event.clientY, box.top, box.height, height), share(event.clientX, box.left, box.width, width));
    });
    canvas.addEventListener("mousedown", (event) => {
      event.preventDefault(); // else the browser takes the focus away again
      if (!event.button) picker.focus({ preventScroll: true });
    });
  }

  const summary = element("p", { class: "gx-summary" });
  const { root, voice } = explorerFrame(
    "filter",
    "the filter of each pixel",
    controls,
    element("div", { class: "gx-six" }, ...pictures.map(({ node }) => node)),
    summary,
  );

  function draw() {
    const state = Object.fromEntries(["image", "sigma", "row", "column"].map((name) => [name, model.get(name)]));
    const pixel = state.row * width + state.column;
    const place = numbers.place(state.image, state.sigma);
    const view = { ...state, pixel, place, values: numbers.values(state.image, state.sigma, pixel) };
    const filters = { row: numbers.row(place, pixel), column: numbers.column(place, pixel) };
    if (numbers.reference) filters.reference = numbers.referenceRow(place, pixel);
    image.selectedIndex = state.image;
    sigmas.show(state.sigma);
    picker.setAttribute("aria-valuenow", pixel);
    picker.setAttribute("aria-valuetext", `row ${state.row}, column ${state.column}`);
    showPhotographs(view);
    showFilters(view, filters);
    showWords(view, filters);
  }

  function showPhotographs({ image: index, sigma, place, pixel, values }) {
    const shown = {
      noisy: [numbers.noisy(index, sigma), "noisy y"],
      clean: [numbers.clean(index), "clean x"],
      denoised: [numbers.denoised(place), "denoised f(y)"],
    };
    for (const { name, canvas, caption } of pictures.filter(({ name }) => name in shown)) {
      const [picture, title] = shown[name];
      paintGrey(canvas, picture, width);
      frame(canvas, pixel);
      if (canvas !== picker) canvas.setAttribute("aria-label", `${title}, ${signed(values[name])} at the pixel`);
      caption.replaceChildren(title, element("span", { class: "gx-value" }, signed(values[name])));
    }
  }

  function showFilters({ pixel }, filters) {
    const colours = palette(root);
    const titles = {
      row: "row of J: its filter",
      column: "column of J: where it goes",
      reference: `${numbers.reference?.name}: its row`,
    };
    for (const { name, canvas, caption, facts } of pictures.filter(({ name }) => name in filters)) {
      // Square roots: a pixel's own weight would leave the many small ones too pale to see.
      const roots = filters[name].weights.map((v) => Math.sign(v) * Math.sqrt(Math.abs(v)));
      paintSigned(canvas, roots, width, colours);
      if (numbers.cut) frameWindow(canvas, numbers.window(pixel), colours.muted);
      frame(canvas, pixel);
      const said = sentences(filters[name]);
      canvas.setAttribute("aria-label", `${titles[name]}; ${said.join(", ")}`);
      caption.textContent = titles[name];
      facts.replaceChildren(...said.map((text) => element("span", {}, text)));
    }
  }

  /** What is said of a filter, in a few words each. */
  function sentences({ total, own, radius, outside }) {
    const said = [`sum ${signed(total)}, own weight ${signed(own)}`];
    if (radius === 0) said.push("half of energy in the pixel");
    else if (!Number.isNaN(radius)) said.push(`half of energy within ${radius.toFixed(1)} px`);
    if (numbers.cut) said.push(`outside the box ${percent(outside)}`);
    return said;
  }

  /** A line around the picked pixel, in colours that show on every picture. */
  function frame(canvas, pixel) {
    const step = canvas.width / width;
    const [x, y] = [(pixel % width) * step, Math.floor(pixel / width) * step];
    const context = canvas.getContext("2d");
    for (const [colour, line, out] of [["#000000", 1.5, 2.25], ["#ffffff", 1.5, 0.75]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: line });
      context.strokeRect(x - out, y - out, step + 2 * out, step + 2 * out);
    }
  }

  /** A dashed line around the weights that are stored. */
  function frameWindow(canvas, { top, bottom, left, right }, colour) {
    const step = canvas.width / width;
    const context = canvas.getContext("2d");
    Object.assign(context, { strokeStyle: colour, lineWidth: 1.5 });
    context.setLineDash([5, 4]);
    const [across, down] = [right - left + 1, bottom - top + 1].map((n) => n * step - 2);
    context.strokeRect(left * step + 1, top * step + 1, across, down); // a pixel in, not cut off
    context.setLineDash([]);
  }

  function showWords({ image: index, sigma, row, column, values }, filters) {
    const same = signed(values.sum) === signed(values.denoised);
    const text = [
      `Row ${row}, column ${column} of ${numbers.names[index]}, σ = ${sigma}: clean ${signed(values.clean)}, ` +
        `noisy ${signed(values.noisy)}, denoised ${signed(values.denoised)}` +
        (numbers.reference ? `, by the ${numbers.reference.name} ${signed(values.reference)}.` : "."),
      `The noisy pixels times the weights in the row add up to ${signed(values.sum)}` +
        (same ? ": the denoised pixel." : "; the rest of the denoised pixel is no weighted sum of them."),
      "Warm colours are positive weights, cool ones negative, as strong as their square roots; " +
        "each picture has its own scale.",
    ];
    if (numbers.cut) text.push("Weights are drawn inside the dashed box; the numbers count all of them.");
    summary.textContent = text.join(" ");
    voice.say(
      `Noisy ${signed(values.noisy)}, denoised ${signed(values.denoised)}; row: ${sentences(filters.row).join(", ")}`,
    );
  }

  el.append(root);
  draw();
  const { stop } = drawOnChange(model, ["image", "sigma", "row", "column"], [], draw);
  return () => {
    stop();
    voice.hush();
  };
}

function percent(share) {
  if (share > 0 && share < 0.001) return "under 0.1 %";
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

export default { render };
