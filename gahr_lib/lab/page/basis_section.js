// The adaptive basis at the noisy image of the first section.
import { choiceBar, element, subscript } from "./draw.js";
import { picture, section, taskBar } from "./controls.js";

const COUNT = 16;

export function basisSection(lab, noisy) {
  let which = 0;
  const bar = choiceBar("of which network", [[0, "first"], [1, "second"]], (value) => choose(value));
  const choose = (value) => {
    which = value;
    bar.show(value);
  };
  choose(0);
  const pictures = Array.from({ length: COUNT }, (_, i) => picture(`vector-${i}`, lab.side));

  const task = taskBar("Compute the eigenvectors", async (signal, tell) => {
    const network = lab.networks()[which];
    const { y, sigma } = noisy();
    const heard = ({ share }) => tell(share, `${Math.round(100 * share)} %`);
    const found = await lab.computer.ask("basis", { network, y, k: COUNT }, { heard, signal });
    shown.hidden = false;
    pictures.forEach(({ show }, i) => {
      const value = found.values[i].toFixed(3);
      const label = `eigenvector ${i + 1}, eigenvalue ${value}`;
      show(found.vectors[i], [`λ${subscript(i + 1)}`, value], { label, signed: true });
    });
    lab.show("basis", { network, y, ...found });
    return (
      `The ${COUNT} leading eigenvectors of ${lab.nameOf(network)} at the image that was above when you ` +
      `asked, with noise σ = ${sigma.toFixed(2)}. All eigenvalues sum to ${found.trace.toFixed(1)}; the asymmetry of the Jacobian is ${found.asymmetry.toFixed(3)}.`
    );
  });

  const shown = element("div", { class: "lab-vectors", hidden: "" }, ...pictures.map((p) => p.node));
  const node = section(
    "Eigenvectors",
    element("div", { class: "gx-controls" }, bar.group),
    task.node,
    shown,
  );
  return { node, repaint: () => pictures.forEach((p) => p.paint()) };
}
