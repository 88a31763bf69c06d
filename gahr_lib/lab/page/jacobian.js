// The Jacobian of a denoiser at an image, column by column, and what chapter 3 asks of it.
import { leadingEigenpairs } from "./eigenpairs.js";

const BLOCK = 56; // columns at a time: between two blocks it can be told to stop

/**
 * J at y, by rows in one Float64Array. `product` maps a block of vectors, one after the other in a
 * Float32Array, to a promise of J times each; `breathe` is told the share of the columns done.
 */
async function jacobian(product, size, breathe) {
  const J = new Float64Array(size * size);
  for (let first = 0; first < size; first += BLOCK) {
    const count = Math.min(BLOCK, size - first);
    const units = new Float32Array(count * size);
    for (let i = 0; i < count; i++) units[i * size + first + i] = 1;
    const columns = await product(units, count);
    for (let i = 0; i < count; i++) {
      for (let row = 0; row < size; row++) J[row * size + first + i] = columns[i * size + row];
    }
    await breathe((first + count) / size);
  }
  return J;
}

/** S = (J + J') / 2, ||J - J'|| / ||J + J'||, and the sum of the diagonal of J. */
function symmetricPart(J, size) {
  const S = new Float64Array(size * size);
  let [skew, even, trace] = [0, 0, 0];
  for (let i = 0; i < size; i++) {
    trace += J[i * size + i];
    for (let j = 0; j < size; j++) {
      const [a, b] = [J[i * size + j], J[j * size + i]];
      S[i * size + j] = (a + b) / 2;
      skew += (a - b) ** 2;
      even += (a + b) ** 2;
    }
  }
  return { S, trace, asymmetry: Math.sqrt(skew / even) };
}

function times(S, size) {
  return (v) => {
    const result = new Float64Array(size);
    for (let i = 0, at = 0; i < size; i++) {
      let sum = 0;
      for (let j = 0; j < size; j++, at++) sum += S[at] * v[j];
      result[i] = sum;
    }
    return result;
  };
}

/** The adaptive basis at an image: {values, vectors, residuals, asymmetry, trace}, of k vectors. */
export async function adaptiveBasis(product, size, k, breathe) {
  const J = await jacobian(product, size, (share) => breathe(0.9 * share));
  const { S, trace, asymmetry } = symmetricPart(J, size);
  const found = await leadingEigenpairs(times(S, size), size, k, () => breathe(0.9));
  return { ...found, vectors: found.vectors.map((v) => Float32Array.from(v)), asymmetry, trace };
}
