// An image, noise on it, and what two networks make of it.
import { element } from "./draw.js";
import { drawingPad } from "./drawing_pad.js";
import { readImage, Refused } from "./image_files.js";
import { labelled, picture, section, seedControl, selection } from "./controls.js";
import { decibels, meanSquare, psnr } from "./numbers.js";
import { noiseStream } from "./noise.js";

export function denoiseSection(lab) {
  const { side, images } = lab;
  const size = side * side;
  let image = images.at(0).values;
  let sigma = 0.3;

  const choices = images.map(({ name }, i) => [String(i), name]);
  const source = selection([...choices, ["draw", "draw one"], ["file", "a file of yours"]], "0", choose);
  const pad = drawingPad(side, () => use(pad.image()));
  const file = element("input", { type: "file", accept: "image/png,image/jpeg,image/webp", change: read });
  const fileControl = labelled("PNG, JPEG or WebP, up to 10 MB; it stays in your browser", file);
  const slider = element("input", {
    type: "range", min: 0, max: 1, step: 0.01, value: sigma, class: "lab-slider",
    input: () => {
      sigma = slider.valueAsNumber;
      refresh();
    },
  });
  const level = element("span", { class: "gx-of gx-value" });
  const seeds = seedControl(refresh);
  const trouble = element("p", { class: "lab-trouble", role: "alert" });
  const pictures = Object.fromEntries(
    ["image", "noisy", "first", "second", "difference"].map((kind) => [kind, picture(kind, side)]),
  );
  const line = element("p", { class: "gx-summary" });

  function choose(value) {
    trouble.textContent = "";
    pad.node.hidden = value !== "draw";
    fileControl.hidden = value !== "file";
    if (value === "draw") use(pad.image());
    else if (value === "file") read();
    else use(images[Number(value)].values);
  }

  let reading = 0;
  async function read() {
    const [chosen] = file.files;
    if (!chosen) return;
    const mine = ++reading;
    trouble.textContent = "";
    try {
      const values = await readImage(chosen, side);
      if (mine === reading && source.value === "file") use(values);
    } catch (error) {
      if (mine !== reading) return;
      file.value = ""; // or the same file could not be chosen again
      const why = error instanceof Refused ? error.message : `It could not be read (${error.message}).`;
      trouble.textContent = `${chosen.name} is not used. ${why}`;
    }
  }

  function use(values) {
    image = values;
    refresh();
  }

  function noisyImage() {
    const z = noiseStream(seeds.seed(), size)();
    return image.map((v, i) => v + sigma * z[i]);
  }

  // Of changes that come while the networks are busy, only the last one counts.
  let busy = false;
  let again = false;
  async function refresh() {
    again = busy;
    if (busy) return;
    busy = true;
    trouble.textContent = "";
    try {
      do {
        again = false;
        await denoise();
      } while (again);
    } catch (error) {
      trouble.textContent = `It did not work: ${error.message}`;
    } finally {
      busy = false;
    }
  }

  async function denoise() {
    level.textContent = sigma.toFixed(2);
    slider.setAttribute("aria-valuetext", sigma.toFixed(2));
    const given = { image, sigma, seed: seeds.seed(), networks: lab.networks() };
    const y = noisyImage();
    const [first, second] = await lab.computer.ask("denoise", { networks: given.networks, y });
    const names = given.networks.map(lab.nameOf);
    const difference = first.image.map((v, i) => v - second.image[i]);
    const apart = Math.sqrt(meanSquare(first.image, second.image));
    pictures.image.show(image, ["image x"]);
    pictures.noisy.show(y, ["noisy y", decibels(psnr(y, image))]);
    pictures.first.show(first.image, [names[0], decibels(psnr(first.image, image))]);
    pictures.second.show(second.image, [names[1], decibels(psnr(second.image, image))]);
    pictures.difference.show(difference, ["first − second", `RMS ${apart.toFixed(3)}`], { signed: true });
    const times = [first, second].map(({ milliseconds }) => milliseconds.toFixed(1)).join(" and ");
    line.textContent = `The two took ${times} milliseconds.`;
    lab.show("denoise", { ...given, y, results: [first, second] });
  }

  pad.node.hidden = fileControl.hidden = true;
  const node = section(
    "Denoise",
    element(
      "div",
      { class: "gx-controls" },
      labelled("image", source),
      element("div", { class: "lab-row" }, labelled("noise σ", slider), level),
      seeds.node,
    ),
    pad.node,
    fileControl,
    trouble,
    element("div", { class: "lab-pictures" }, ...Object.values(pictures).map((p) => p.node)),
    line,
  );
  const repaint = () => Object.values(pictures).forEach((p) => p.paint());
  return { node, networksChanged: refresh, repaint, noisy: noisyImage, ready: refresh() };
}
