// Noise from a seed, the same in every browser: xoshiro128** (Blackman and Vigna, "Scrambled linear
// pseudorandom number generators", 2021), its state filled by a SplitMix generator of 32 bits, and
// the transform of Box and Muller of pairs of its numbers.

/** A function that returns the next of a stream of whole numbers, 0 to 2^32 - 1. */
function wholeNumbers(seed) {
  let counter = seed >>> 0;
  const splitMix = () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let z = counter;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const s = Uint32Array.from({ length: 4 }, splitMix);
  const rotate = (x, k) => ((x << k) | (x >>> (32 - k))) >>> 0;
  return () => {
    const result = Math.imul(rotate(Math.imul(s[1], 5) >>> 0, 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11);
    return result;
  };
}

/** A function that returns the next `size` numbers of a stream of standard normal ones. */
export function noiseStream(seed, size) {
  const next = wholeNumbers(seed);
  const uniform = () => (next() + 0.5) / 2 ** 32; // between 0 and 1, and neither
  return () => {
    const z = new Float32Array(size);
    for (let i = 0; i < size; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(uniform()));
      const angle = 2 * Math.PI * uniform();
      z[i] = radius * Math.cos(angle);
      if (i + 1 < size) z[i + 1] = radius * Math.sin(angle);
    }
    return z;
  };
}
