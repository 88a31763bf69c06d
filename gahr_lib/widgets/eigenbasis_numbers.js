// The numbers that the explorers of expansions show, from what Python packed.
// Letters are those of the book: s_k, u_k written, v_k read, y noisy.

/** Reads what Python packed, and adds up what the explorer shows. */
class Expansions {
  #sums = new Map();

  constructor(data) {
    Object.assign(this, data);
    this.size = data.width * data.height;
    for (const name of ["clean", "noise", "outputs"]) this[name] = floats(data[name]);
    for (const kind of ["singular", "eigen"]) {
      if (data[kind]) this[kind] = this.#readSums(data[kind]); // no singular vectors of large images
    }
  }

  #readSums(packed) {
    const read = { ...packed };
    for (const name of ["values", "coefficients", "errors"]) read[name] = floats(packed[name]);
    read.written = this.#readVectors(packed.written);
    read.read = packed.read ? this.#readVectors(packed.read) : read.written;
    return read;
  }

  /** A function from the place of a vector to its pixels; some come with what rounding lost. */
  #readVectors(packed) {
    const decode = ({ codes: bytes, scales: numbers }) => {
      const vectors = { codes: signedBytes(bytes), scales: floats(numbers) };
      return (row) => dequantize(vectors, row, this.size);
    };
    const coarse = decode(packed);
    if (!packed.fine) return coarse;
    const [lost, places] = [decode(packed.fine), integers(packed.fine.places)];
    const each = places.length / this.asymmetry.length; // so many for each network, image and level
    const rows = new Map([...places].map((place, i) => [Math.floor(i / each) * this.kept + place, i]));
    return (row) => {
      const vector = coarse(row);
      if (rows.has(row)) lost(rows.get(row)).forEach((v, i) => (vector[i] += v));
      return vector;
    };
  }

  image(array, index) {
    return array.subarray(index * this.size, (index + 1) * this.size);
  }

  /** Everything about one network at one noisy image. */
  at(network, image, sigma) {
    const count = this.sigmas.length;
    const place = (this.networks.indexOf(network) * this.names.length + image) * count + this.sigmas.indexOf(sigma);
    return this.answer(place, this.image(this.clean, image), this.image(this.noise, image), sigma);
  }

  answer(place, clean, noise, sigma) {
    const all = this.eigen.values.length / this.asymmetry.length; // so many, or only those kept
    const own = (array, each) => array.subarray(place * each, (place + 1) * each);
    const sums = ({ values, coefficients, errors, gaps, read, written }) => ({
      values: own(values, all),
      errors: own(errors, all),
      coefficients: own(coefficients, this.kept),
      gap: gaps[place],
      read: (k) => read(place * this.kept + k - 1),
      written: (k) => written(place * this.kept + k - 1),
    });
    return {
      place, clean,
      noisy: clean.map((v, i) => v + sigma * noise[i]),
      output: this.image(this.outputs, place),
      outputError: this.output_errors[place],
      asymmetry: this.asymmetry[place],
      singular: this.singular && sums(this.singular),
      eigen: sums(this.eigen),
    };
  }

  /** The sum of the first k terms of an expansion. */
  partial(own, kind, k) {
    const key = `${own.place} ${kind}`;
    if (!this.#sums.has(key)) this.#sums.set(key, [new Float64Array(this.size)]);
    const sums = this.#sums.get(key);
    const { values, coefficients, written } = own[kind];
    for (let j = sums.length; j <= k; j++) {
      const weight = values[j - 1] * coefficients[j - 1];
      const vector = written(j);
      sums.push(sums[j - 1].map((v, i) => v + weight * vector[i]));
    }
    return sums[k];
  }
}
