// Leading eigenpairs of a symmetric matrix by the method of Lanczos, its vectors kept orthogonal to
// all earlier ones. ml-matrix decomposes the small matrix that it leads to.
import "./vendor/ml-matrix/matrix.umd.js";
import { noiseStream } from "./noise.js";

const { Matrix, EigenvalueDecomposition } = globalThis.mlMatrix;

const TOLERANCE = 1e-5; // of a residual, as a fraction of the largest eigenvalue
const FIRST_LOOK = 60; // products before the first look at what has been found
const LOOKS = 1.35; // how many times as many before each further one

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function subtract(a, factor, b) {
  for (let i = 0; i < a.length; i++) a[i] -= factor * b[i];
}

/** Take the parts along `basis` out of a vector; twice, since rounding leaves some the first time. */
function orthogonalize(vector, basis) {
  for (let pass = 0; pass < 2; pass++) for (const q of basis) subtract(vector, dot(q, vector), q);
}

/**
 * The k largest eigenvalues, falling, and their unit vectors: {values, vectors, residuals}.
 * `product` maps a Float64Array of length `size` to the product of the matrix with it; `breathe` is
 * awaited now and then, and may throw to end the search.
 */
export async function leadingEigenpairs(product, size, k, breathe = () => {}) {
  const most = size;
  const basis = [];
  const [diagonal, off] = [[], []];
  const draw = noiseStream(0, size);
  let next = Float64Array.from(draw());
  let look = Math.max(FIRST_LOOK, 3 * k);
  for (;;) {
    orthogonalize(next, basis);
    let length = Math.sqrt(dot(next, next));
    // A space that the matrix maps into itself: go on in a direction that it does not hold.
    const left = length < 1e-12 * (Math.abs(diagonal.at(-1) ?? 1) || 1);
    if (left) {
      next = Float64Array.from(draw());
      orthogonalize(next, basis);
      length = Math.sqrt(dot(next, next));
    }
    if (basis.length) off.push(left ? 0 : length);
    if (basis.length === Math.min(look, most)) {
      const found = ritzPairs(basis, diagonal, off, k);
      const worst = Math.max(...found.residuals);
      if (worst <= TOLERANCE * Math.abs(found.values[0]) || basis.length === most) return found;
      look = Math.ceil(LOOKS * look);
    }
    const q = next.map((v) => v / length);
    basis.push(q);
    const image = product(q);
    diagonal.push(dot(q, image));
    next = Float64Array.from(image);
    if (basis.length % 8 === 0) await breathe();
  }
}

/** The best approximations of eigenpairs in the span of a basis, in which the matrix is tridiagonal. */
function ritzPairs(basis, diagonal, off, k) {
  const m = basis.length;
  const small = Matrix.zeros(m, m);
  for (let i = 0; i < m; i++) {
    small.set(i, i, diagonal[i]);
    if (i + 1 < m) {
      small.set(i, i + 1, off[i]);
      small.set(i + 1, i, off[i]);
    }
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(small, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  const chosen = order.slice(0, k);
  const remainder = m < basis[0].length ? off[m - 1] : 0;
  return {
    values: chosen.map((i) => realEigenvalues[i]),
    residuals: chosen.map((i) => Math.abs(remainder * eigenvectorMatrix.get(m - 1, i))),
    vectors: chosen.map((i) => {
      const vector = new Float64Array(basis[0].length);
      basis.forEach((q, j) => subtract(vector, -eigenvectorMatrix.get(j, i), q));
      return vector;
    }),
  };
}
