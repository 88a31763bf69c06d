// What filter_explorer.py sent, as numbers: values of pixels, and rows and columns of Jacobians.

/** Pixels are counted row by row; `place` counts pairs of image and noise level. */
class FilterNumbers {
  constructor(data) {
    const { height, width, reach, names, sigmas, reference } = data;
    Object.assign(this, { height, width, reach, names, sigmas, size: height * width });
    this.images = floats(data.images);
    this.noise = floats(data.noise);
    this.answers = floats(data.answers);
    this.sums = floats(data.sums);
    this.codes = signedBytes(data.codes);
    this.scales = floats(data.scales);
    this.own = floats(data.own);
    this.rows = floats(data.rows);
    this.columns = floats(data.columns);
    this.reference = reference && { ...reference, answers: floats(reference.answers) };
    // Where each pixel's window begins among the codes of a matrix: windows end at the border.
    this.starts = new Uint32Array(this.size + 1);
    for (let i = 0; i < this.size; i++) {
      const { top, bottom, left, right } = this.window(i);
      this.starts[i + 1] = this.starts[i] + (bottom - top + 1) * (right - left + 1);
    }
  }

  /** The first and last row and column of the window around a pixel. */
  window(pixel) {
    const { width, height, reach } = this;
    const [row, column] = [Math.floor(pixel / width), pixel % width];
    return {
      top: Math.max(0, row - reach),
      bottom: Math.min(height - 1, row + reach),
      left: Math.max(0, column - reach),
      right: Math.min(width - 1, column + reach),
    };
  }

  /** Whether the window of any pixel leaves something out. */
  get cut() {
    return this.reach < Math.max(this.width, this.height) - 1;
  }

  place(image, sigma) {
    return image * this.sigmas.length + this.sigmas.indexOf(sigma);
  }

  clean(image) {
    return this.images.subarray(image * this.size, (image + 1) * this.size);
  }

  noisy(image, sigma) {
    const start = image * this.size;
    return this.clean(image).map((x, i) => x + sigma * this.noise[start + i]);
  }

  denoised(place) {
    return this.answers.subarray(place * this.size, (place + 1) * this.size);
  }

  /** Entry (i, j) of a matrix; j has to be in the window of i. */
  entry(matrix, i, j) {
    const { top, left, right } = this.window(i);
    const inWindow = (Math.floor(j / this.width) - top) * (right - left + 1) + (j % this.width) - left;
    const code = this.codes[matrix * this.starts[this.size] + this.starts[i] + inWindow];
    return (this.scales[matrix * this.size + i] * code * Math.abs(code)) / 127 ** 2;
  }

  /** A picture of `weight(j)` for the pixels j of the window of a pixel, zero elsewhere. */
  inWindow(pixel, weight) {
    const picture = new Float32Array(this.size);
    const { top, bottom, left, right } = this.window(pixel);
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const j = row * this.width + column;
        picture[j] = weight(j);
      }
    }
    return picture;
  }

  row(matrix, pixel) {
    const weights = this.inWindow(pixel, (j) => this.entry(matrix, pixel, j));
    return { weights, ...this.#said(this.rows, matrix, pixel) };
  }

  /** What the rows of all pixels around say of this one: i is in the window of j as j in that of i. */
  column(matrix, pixel) {
    const weights = this.inWindow(pixel, (i) => this.entry(matrix, i, pixel));
    return { weights, ...this.#said(this.columns, matrix, pixel) };
  }

  #said(table, matrix, pixel) {
    const at = 3 * (matrix * this.size + pixel);
    const [total, radius, outside] = table.subarray(at, at + 3);
    return { total, radius, outside, own: this.own[matrix * this.size + pixel] };
  }

  /** The row of the reference at the same noisy image. */
  referenceRow(place, pixel) {
    return this.row(this.reference.places[place], pixel);
  }

  /** The values that belong to a pixel, by name. */
  values(image, sigma, pixel) {
    const place = this.place(image, sigma);
    const at = place * this.size + pixel;
    return {
      clean: this.clean(image)[pixel],
      noisy: this.clean(image)[pixel] + sigma * this.noise[image * this.size + pixel],
      denoised: this.answers[at],
      sum: this.sums[at],
      reference: this.reference?.answers[at],
    };
  }
}
