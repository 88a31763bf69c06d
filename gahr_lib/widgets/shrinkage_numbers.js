// The numbers that the explorer of shrinkage_explorer.py shows, from what Python packed.
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
    const vector = (k) => dequantize(network, network.offsets[place] + k, this.size);
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
