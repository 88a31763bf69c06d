// The front end of eigenbasis_explorer.py: its controls. In front of it come draw.js,
// explorer_frame.js, eigenbasis_numbers.js, eigenbasis_plot.js and eigenbasis_view.js, which draws.

function render({ model, el }) {
  const data = new Expansions(model.get("_data"));
  const choose = chooser(model);
  const { image, control } = imageChoice(data.names, (index) => choose({ image: index }));
  const networks = choiceBar("network", data.networks.map((n) => [n, n]), (network) => choose({ network }));
  const sigmas = choiceBar("noise σ", data.sigmas.map((s) => [s, String(s)]), (sigma) => choose({ sigma }));
  const traits = ["network", "image", "sigma"];
  return showExpansions({ model, el }, {
    data, traits,
    controls: [networks.group, control, sigmas.group],
    look: () => {
      const [network, index, sigma] = traits.map((name) => model.get(name));
      return { data, own: data.at(network, index, sigma), network, image: index, sigma };
    },
    show: (seen) => {
      image.selectedIndex = seen.image;
      networks.show(seen.network);
      sigmas.show(seen.sigma);
    },
  });
}

export default { render };
