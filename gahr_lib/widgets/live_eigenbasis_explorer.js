// The front end of live_eigenbasis_explorer.py: its controls. In front of it come live_work.js and
// what it shares with eigenbasis_explorer.js.

function render({ model, el }) {
  const asked = ["network", "image", "sigma", "seed"];
  let data = new Expansions(model.get("_data"));
  const shown = () => asked.map((name) => data.shown[name]);
  const chosen = () => asked.map((name) => model.get(name));
  const choose = chooser(model);
  const work = workLine({ model, chosen, shown, back: () => choose({ ...data.shown }) });

  const { image, control } = imageChoice(data.names, (index) => choose({ image: index }));
  const networks = choiceBar("network", data.networks.map((n) => [n, n]), (network) => choose({ network }));
  const level = noiseLevel(data.sigmas, (sigma) => choose({ sigma }));
  const seed = noiseSeed((value) => choose({ seed: value }));
  const controls = [networks.group, control, level.control, seed.control];
  if (work.alone) {
    controls.forEach((node) => node.querySelectorAll("input, select").forEach((part) => (part.disabled = true)));
  }

  // Before the view hears that it has to draw.
  const take = () => (data = new Expansions(model.get("_data")));
  model.on("change:_data", take);
  const forget = showExpansions({ model, el }, {
    data, controls,
    work: [work.node],
    traits: [...asked, "_data", "_work"],
    look: () => {
      const { network, image: index, sigma } = data.shown;
      return { data, own: data.answer(0, data.clean, data.noise, sigma), network, image: index, sigma };
    },
    show: () => {
      const [network, index, sigma, number] = work.alone ? shown() : chosen();
      image.selectedIndex = index;
      networks.show(network);
      level.show(sigma);
      seed.show(number);
      // Of what is out of date alone: a screen reader may be silent about all that is busy.
      el.querySelector(".gx-body").ariaBusy = String(work.show());
    },
  });
  return () => {
    model.off("change:_data", take);
    work.forget();
    forget();
  };
}

/** A slider for sigma between two levels, by its logarithm. */
function noiseLevel([low, high], chosen) {
  const steps = 200;
  const id = freshId();
  const text = element("label", { class: "gx-label", for: id });
  const at = (position) => {
    const sigma = Number((low * (high / low) ** (position / steps)).toPrecision(3));
    return Math.min(Math.max(sigma, low), high);
  };
  const slider = element("input", {
    type: "range", class: "gx-slider gx-level", id, min: 0, max: steps, step: 1,
    input: () => chosen(at(slider.valueAsNumber)),
  });
  const show = (sigma) => {
    text.textContent = `noise σ = ${sigma}`;
    slider.value = Math.round((steps * Math.log(sigma / low)) / Math.log(high / low));
    slider.setAttribute("aria-valuetext", `σ = ${sigma}`);
  };
  return { control: element("div", { class: "gx-control" }, text, slider), show };
}

function noiseSeed(chosen) {
  const [min, max] = [0, 2 ** 31 - 1];
  const { id, node, show } = numberField({ min, max }, (value) => {
    chosen(Math.min(Math.max(Math.round(value), min), max));
  });
  return { control: labelled("noise seed", id, node), show };
}

export default { render };
