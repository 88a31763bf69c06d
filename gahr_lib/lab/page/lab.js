// The laboratory once it is started: loads what it needs, and puts its sections together.
import { basisSection } from "./basis_section.js";
import { Computer } from "./computer.js";
import { labelled, selection } from "./controls.js";
import { denoiseSection } from "./denoise_section.js";
import { download } from "./download.js";
import { choiceBar, element, onThemeChange } from "./draw.js";
import { sampleSection } from "./sample_section.js";

const PLACES = ["first", "second"];

/** Open the laboratory in the place of the still picture; `say` writes below it until then. */
export async function openLaboratory(root, say, wanted) {
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Loading" });
  const loaded = element("span", { class: "lab-loaded" }); // changes too often to be spoken
  root.querySelector("[data-notice]").after(bar, loaded);
  const engineLine = element("p", { class: "gx-summary", role: "status" });
  const tellEngine = (engine) => (engineLine.textContent = engineWords(engine));
  const computer = new Computer(tellEngine);
  // The style of the explorers, which the page of the laboratory shares.
  const style = element("link", { rel: "stylesheet", href: new URL("explorer.css", import.meta.url) });
  try {
    const [manifest] = await Promise.all([readManifest(), add(style)]);
    const largest = Math.max(...manifest.networks.map(({ n }) => n));
    const chosen = ["A", "B"].map((half) => find(manifest.networks, largest, half));
    const heard = ({ received, total }) => {
      bar.value = received / total;
      const text = [received, total].map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(" of ");
      loaded.textContent = received < total ? `${text} MB` : "";
      if (received === total) say("Starting the networks …");
    };
    const [engine, pixels] = await Promise.all([
      computer.ask("start", { manifest, networks: chosen, wanted }, { heard }),
      download(manifest.images),
    ]);
    const { laboratory, ready } = build(root, { manifest, computer, chosen, pixels, engineLine });
    tellEngine(engine);
    laboratory.hidden = true;
    root.append(laboratory); // before it is drawn: its colours come from its place
    await ready;
    root.querySelector("[data-before]").remove();
    laboratory.hidden = false;
    laboratory.focus();
  } catch (error) {
    computer.end();
    style.remove();
    throw error;
  } finally {
    bar.remove();
    loaded.remove();
  }
}

async function readManifest() {
  const answer = await fetch(new URL("manifest.json", import.meta.url), { cache: "no-cache" });
  if (!answer.ok) throw new Error(`manifest.json could not be loaded: the server answers ${answer.status}`);
  return answer.json();
}

/** Put a style into the page, and wait until it is there. */
function add(style) {
  return new Promise((resolve, reject) => {
    style.onload = resolve;
    style.onerror = () => reject(new Error("explorer.css could not be loaded"));
    document.head.append(style);
  });
}

function find(networks, n, half) {
  return networks.findIndex((network) => network.n === n && network.half === half);
}

function build(root, { manifest, computer, chosen, pixels, engineLine }) {
  const { networks, side, samplers } = manifest;
  const size = side * side;
  const images = manifest.images.names.map((name, i) => ({
    name,
    values: Float32Array.from(pixels.subarray(i * size, (i + 1) * size), (v) => v / 255),
  }));
  const spaced = (n) => n.toLocaleString("en");
  const lab = {
    computer, images, side, samplers,
    networks: () => [...chosen],
    nameOf: (i) => `${networks[i].half}, N = ${spaced(networks[i].n)}`,
    /** The numbers behind what is shown, for readers who want them and for tests. */
    show: (kind, numbers) => (root.results = { ...root.results, [kind]: numbers }),
  };
  const denoise = denoiseSection(lab);
  const sample = sampleSection(lab);
  const basis = basisSection(lab, denoise.noisy);

  function networkPicker(place) {
    const sizes = [...new Set(networks.map(({ n }) => n))].map((n) => [String(n), spaced(n)]);
    const pick = (n, half) => {
      chosen[place] = find(networks, n, half);
      halves.show(half);
      denoise.networksChanged();
    };
    const { n, half } = networks[chosen[place]];
    const now = () => networks[chosen[place]];
    const select = selection(sizes, String(n), (value) => pick(Number(value), now().half));
    const halves = choiceBar("half", [["A", "A"], ["B", "B"]], (value) => pick(now().n, value));
    halves.show(half);
    return element(
      "fieldset",
      { class: "lab-network" },
      element("legend", { class: "gx-label" }, `${PLACES[place]} network`),
      labelled("training images N", select),
      halves.group,
    );
  }

  const laboratory = element(
    "div",
    { class: "gx-explorer lab-open", role: "group", "aria-label": "Laboratory", tabindex: -1 },
    element("div", { class: "gx-controls" }, networkPicker(0), networkPicker(1)),
    denoise.node,
    sample.node,
    basis.node,
    engineLine,
  );
  onThemeChange(() => [denoise, sample, basis].forEach(({ repaint }) => repaint()));
  return { laboratory, ready: denoise.ready };
}

function engineWords({ provider, reason }) {
  const names = { wasm: "the processor (WebAssembly)", webgpu: "the graphics card (WebGPU)" };
  const { denoise, product } = provider;
  const words =
    denoise === product
      ? `Computed by ${names[denoise]}`
      : `Images are denoised by ${names[denoise]}, Jacobians computed by ${names[product]}`;
  return `${words}${reason ? `: ${reason}` : ""}.`;
}
