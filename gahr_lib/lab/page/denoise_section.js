// An image, noise on it, and what two networks make of it.
import { announcer, element } from "./draw.js";
import { drawingPad } from "./drawing_pad.js";
import { readImage, Refused } from "./image_files.js";
import { labelled, picture, section, seedControl, selection } from "./controls.js";
import { decibels, meanSquare, psnr } from "./numbers.js";
import { noiseStream } from "./noise.js";

const LATE = 400; // milliseconds without an answer, before a line says so

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
  const frames = element("div", { class: "lab-pictures" }, ...Object.values(pictures).map((p) => p.node));
  const line = element("p", { class: "gx-summary" });
  const live = element("p", { class: "gx-hidden", "aria-live": "polite" });
  const voice = announcer(live);

  // What went wrong: a file that is not used is still none when the networks answer again.
  const wrong = { file: "", networks: "" };
  function complain(of, text) {
    wrong[of] = text;
    const all = [wrong.file, wrong.networks].filter(Boolean).join(" ");
    if (trouble.textContent !== all) trouble.textContent = all; // it is spoken each time
  }

  let reading = 0;
  /** Forget the file that is being read. */
  function leaveFile() {
    reading++;
    fileControl.ariaBusy = false;
    complain("file", "");
  }

  function choose(value) {
    leaveFile();
    pad.node.hidden = value !== "draw";
    fileControl.hidden = value !== "file";
    if (value === "draw") use(pad.image());
    else if (value === "file") read();
    else use(images[Number(value)].values);
  }

  async function read() {
    const [chosen] = file.files;
    if (!chosen) return;
    leaveFile();
    const mine = reading;
    fileControl.ariaBusy = true;
    try {
      const values = await readImage(chosen, side);
      if (mine === reading) use(values);
    } catch (error) {
      if (mine !== reading) return;
      file.value = ""; // or the same file could not be chosen again
      const why = error instanceof Refused ? error.message : `It could not be read (${error.message}).`;
      complain("file", `${chosen.name} is not used. ${why}`);
    } finally {
      if (mine === reading) fileControl.ariaBusy = false;
    }
  }

  function use(values) {
    image = values;
    refresh();
  }

  function noisyImage() {
    const z = noiseStream(seeds.seed(), size)();
    return { y: image.map((v, i) => v + sigma * z[i]), sigma };
  }

  // Of changes that come while the networks are busy, only the last one counts.
  let busy = false;
  let again = false;
  let overdue = null; // what ends the wait for an answer that takes long: a change does not join it
  async function refresh() {
    again = busy;
    if (busy) return overdue?.abort();
    busy = true;
    frames.ariaBusy = true;
    do {
      again = false;
      complain("networks", "");
      const control = new AbortController();
      const late = setTimeout(() => {
        line.textContent = "Loading or computing …";
        overdue = control;
      }, LATE);
      try {
        await denoise(control.signal);
      } catch (error) {
        line.textContent = "";
        if (!again) complain("networks", `It did not work: ${error.message}`);
      } finally {
        clearTimeout(late);
        overdue = null;
      }
    } while (again);
    busy = frames.ariaBusy = false;
  }

  async function denoise(signal) {
    level.textContent = sigma.toFixed(2);
    slider.setAttribute("aria-valuetext", sigma.toFixed(2));
    const x = image; // there may be another one when the networks have answered
    const given = { image: x, sigma, seed: seeds.seed(), networks: lab.networks() };
    const { y } = noisyImage();
    const [first, second] = await lab.computer.ask("denoise", { networks: given.networks, y }, { signal });
    const names = given.networks.map(lab.nameOf);
    const difference = first.image.map((v, i) => v - second.image[i]);
    const apart = Math.sqrt(meanSquare(first.image, second.image));
    pictures.image.show(x, ["image x"]);
    pictures.noisy.show(y, ["noisy y", decibels(psnr(y, x))]);
    const qualities = [first, second].map((result) => decibels(psnr(result.image, x)));
    pictures.first.show(first.image, [names[0], qualities[0]]);
    pictures.second.show(second.image, [names[1], qualities[1]]);
    pictures.difference.show(difference, ["first − second", `RMS ${apart.toFixed(3)}`], { signed: true });
    const times = [first, second].map(({ milliseconds }) => milliseconds.toFixed(1)).join(" and ");
    line.textContent = `The two took ${times} milliseconds.`;
    voice.say(`PSNR ${qualities[0]} by the first network, ${qualities[1]} by the second.`);
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
    frames,
    line,
    live,
  );
  const repaint = () => Object.values(pictures).forEach((p) => p.paint());
  return { node, networksChanged: refresh, repaint, noisy: noisyImage, ready: refresh() };
}
