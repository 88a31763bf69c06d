// What the explorer of optimality_explorer.py has to show, and its plane of output against input
// PSNR. After draw.js.

const DENOISERS = ["network", "wavelet", "wiener"]; // in the order of Python's numbers
const PLANE_MARGIN = { left: 42, right: 12, top: 24, bottom: 40 };

/** What Python sent, by alpha, image and noise level. */
class Scenes {
  constructor(data) {
    const { height, width, alphas, names, sigmas, kept, fit, counts, slopes, theory, constants } = data;
    Object.assign(this, { height, width, alphas, names, sigmas, kept, fit, counts, slopes, theory, constants });
    this.size = height * width;
    for (const name of ["psnr", "values", "levels", "means"]) this[name] = floats(data[name]);
    for (const name of ["clean", "pictures"]) {
      const { buffer, byteOffset, byteLength } = data[name];
      this[name] = new Uint8Array(buffer, byteOffset, byteLength);
    }
    this.codes = signedBytes(data.vectors.codes);
    this.scales = floats(data.vectors.scales);
    this.inputs = sigmas.map((sigma) => -20 * Math.log10(sigma));
    // Of the five PSNRs of a scene the first is that of y, which is not drawn.
    const drawn = [...this.means, ...this.psnr.filter((_, i) => i % 5)].filter(Number.isFinite);
    this.range = [5 * Math.floor(Math.min(...drawn) / 5), 5 * Math.ceil(Math.max(...drawn) / 5)];
  }

  /** Everything about one image of one smoothness in noise of one level. */
  at(alpha, image, sigma) {
    const { size, kept } = this;
    const scene = this.alphas.indexOf(alpha) * this.names.length + image;
    const place = scene * this.sigmas.length + this.sigmas.indexOf(sigma);
    const grey = (bytes, i) => Float32Array.from(bytes.subarray(i * size, (i + 1) * size), (v) => v / 255);
    const [noisy, ...denoised] = Array.from({ length: 4 }, (_, i) => grey(this.pictures, 4 * place + i));
    return {
      clean: grey(this.clean, scene), noisy, denoised,
      psnr: this.psnrOf(place),
      others: this.sigmas.map((_, i) => this.psnrOf(scene * this.sigmas.length + i)),
      values: this.values.subarray(place * kept, (place + 1) * kept),
      vector: (k) => this.#vector(place * kept + k - 1),
    };
  }

  psnrOf(place) {
    const [noisy, network, wavelet, wiener, oracle] = this.psnr.subarray(5 * place, 5 * place + 5);
    return { noisy, denoised: [network, wavelet, wiener], oracle };
  }

  #vector(row) {
    return dequantize(this, row, this.size);
  }

  /** The mean curves of one smoothness, their slopes, and the line of theory. */
  lines(alpha) {
    const place = this.alphas.indexOf(alpha);
    const count = this.levels.length;
    const curve = (i) => this.means.subarray((3 * place + i) * count, (3 * place + i + 1) * count);
    return {
      images: this.counts[place],
      means: DENOISERS.map((_, i) => curve(i)),
      slopes: this.slopes[place],
      theory: this.theory[place],
      constant: this.constants[place],
    };
  }

  /** The value of a curve at an input PSNR, on the straight line between its neighbours. */
  between(curve, input) {
    const after = Math.max(1, this.levels.findIndex((level) => level >= input));
    const share = (input - this.levels[after - 1]) / (this.levels[after] - this.levels[after - 1]);
    return curve[after - 1] + share * (curve[after] - curve[after - 1]);
  }
}

/** The box of the plane on its canvas, and the map from input PSNR to pixels. */
function planeAxis(canvas, levels) {
  const { left, right, top, bottom } = PLANE_MARGIN;
  const box = { left, top, width: canvas.clientWidth - left - right, height: canvas.clientHeight - top - bottom };
  const [low, high] = [levels[0], levels.at(-1)];
  return { box, x: (input) => left + (box.width * (input - low)) / (high - low) };
}

/** The noise level whose input PSNR is nearest to a point of the screen. */
function sigmaUnder(clientX, canvas, scenes) {
  const { x } = planeAxis(canvas, scenes.levels);
  const at = clientX - canvas.getBoundingClientRect().left;
  const away = scenes.inputs.map((input) => Math.abs(x(input) - at));
  return scenes.sigmas[away.indexOf(Math.min(...away))];
}

/** `view` has the scene and the lines that are shown, sigma, and the colours. */
function drawPlane(canvas, scenes, { scene, lines, sigma, colours }) {
  const { context: c } = clearCanvas(canvas);
  const { levels, inputs, fit } = scenes;
  const { box, x } = planeAxis(canvas, levels);
  const bottom = box.top + box.height;
  const y = linear(...scenes.range, box);
  const panel = new Panel(c, box, (i) => x(levels[i]), y, colours);
  const straight = (slope, constant) => Array.from(levels, (level) => constant + slope * level);

  c.globalAlpha = 0.4; // the range of the fit lies in the shade
  c.fillStyle = colours.grid;
  const [from, to] = fit.map((input) => Math.min(Math.max(x(input), box.left), box.left + box.width));
  c.fillRect(from, box.top, to - from, box.height);
  c.globalAlpha = 1;
  for (let v = scenes.range[0]; v <= scenes.range[1]; v += 5) panel.tick(v, String(v), "left");

  const current = scenes.sigmas.indexOf(sigma);
  c.fillStyle = colours.text;
  c.fillRect(x(inputs[current]) - 0.75, box.top - 4, 1.5, box.height + 4);
  panel.line(straight(1, 0), colours.muted, { width: 1 });
  panel.line(straight(lines.theory, lines.constant), colours.text, { width: 1 });
  const looks = [[colours.signal, []], [colours.noise, [7, 3]], [colours.factor, [2, 3]]];
  lines.means.forEach((mean, i) => panel.line(mean, looks[i][0], { width: 2, dash: looks[i][1] }));
  scene.others.forEach(({ denoised, oracle }, s) => {
    const own = s === current;
    mark(c, x(inputs[s]), y(oracle), colours.zero, colours.noise, own ? 4.5 : 3);
    denoised.forEach((psnr, i) => mark(c, x(inputs[s]), y(psnr), looks[i][0], colours.zero, own ? 5 : 3));
  });

  panel.text("σ =", box.left - 6, box.top - 12, { align: "right", colour: colours.muted });
  const label = { align: "center", colour: colours.muted };
  inputs.forEach((input, s) => {
    const colour = s === current ? colours.text : colours.muted;
    panel.text(String(scenes.sigmas[s]), x(input), box.top - 12, { align: "center", colour });
  });
  for (let v = 5 * Math.ceil(levels[0] / 5); v <= levels.at(-1); v += 5) {
    panel.text(String(v), x(v), bottom + 11, label);
  }
  panel.text("output PSNR, dB", box.left + 7, box.top + 12, { colour: colours.muted });
  panel.text("input PSNR, dB", box.left + box.width / 2, bottom + 29, label);
}
