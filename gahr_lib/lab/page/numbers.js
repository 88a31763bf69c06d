// Comparisons of images.

export function meanSquare(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum / a.length;
}

/** Peak signal-to-noise ratio in decibels, for a peak of 1. */
export function psnr(estimate, image) {
  return -10 * Math.log10(meanSquare(estimate, image));
}

/** The cosine of the angle between two images, each less its own mean, as in gahr_lib.metrics. */
export function cosine(a, b) {
  const [meanA, meanB] = [a, b].map((v) => v.reduce((sum, x) => sum + x, 0) / v.length);
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [p, q] = [a[i] - meanA, b[i] - meanB];
    ab += p * q;
    aa += p * p;
    bb += q * q;
  }
  return aa && bb ? ab / Math.sqrt(aa * bb) : 0;
}

export function decibels(value) {
  return value === Infinity ? "∞ dB" : `${value.toFixed(1)} dB`;
}
