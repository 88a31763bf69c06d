// The histograms of the memorization explorer, and its numbers. After draw.js.

const NOWHERE = 65535;

/** What Python sent, by size of training set and pair. */
class Pairs {
  constructor(data) {
    const { height, width, sizes, pairs, counts, low, stored } = data;
    Object.assign(this, { height, width, sizes, pairs, low, stored });
    this.images = new Uint8Array(data.images.buffer, data.images.byteOffset, data.images.byteLength);
    this.rowBytes = 3 * Math.ceil((height * width) / 4);
    this.places = integers(data.places);
    this.numbers = integers(data.numbers);
    this.nearestOfB = floats(data.other);
    const starts = counts.map((_, i) => counts.slice(0, i).reduce((sum, n) => sum + n, 0));
    const split = (view) => {
      const all = floats(view);
      return counts.map((n, i) => all.subarray(starts[i], starts[i] + n));
    };
    this.kinds = Object.fromEntries(["twins", "own", "real"].map((kind) => [kind, split(data[kind])]));
  }

  /** The values of one kind for all pairs of a size: "twins", "own" or "real". */
  values(kind, n) {
    return this.kinds[kind][this.sizes.indexOf(n)];
  }

  /** Picture 0 to 3 of a pair as intensities, or null where it is missing. */
  picture(n, pair, which) {
    const place = this.places[4 * this.#at(n, pair) + which];
    if (place === NOWHERE) return null;
    const first = place * this.rowBytes;
    return Float32Array.from({ length: this.height * this.width }, (_, i) => {
      const at = first + 3 * (i >> 2);
      const word = (this.images[at] << 16) | (this.images[at + 1] << 8) | this.images[at + 2];
      return ((word >> (18 - 6 * (i & 3))) & 63) / 63;
    });
  }

  /** The number of the training image of A that is nearest to its sample. */
  number(n, pair) {
    return this.numbers[this.#at(n, pair)];
  }

  /** The cosine of B's sample and its nearest training image; NaN where that is not known. */
  ofB(n, pair) {
    return this.nearestOfB[this.#at(n, pair)];
  }

  /** The pairs that can be seen, from the least similar to the most. */
  order(kind, n) {
    const values = this.values(kind, n);
    return Array.from({ length: this.pairs }, (_, k) => k).sort((a, b) => values[a] - values[b] || a - b);
  }

  /** The pair that can be seen whose similarity is nearest to a value. */
  nearestPair(kind, n, value) {
    const values = this.values(kind, n);
    let best = 0;
    for (let k = 1; k < this.pairs; k++) {
      if (Math.abs(values[k] - value) < Math.abs(values[best] - value)) best = k;
    }
    return best;
  }

  median(kind, n) {
    const sorted = [...this.values(kind, n)].sort((a, b) => a - b);
    return sorted[(sorted.length - 1) >> 1];
  }

  #at(n, pair) {
    return this.sizes.indexOf(n) * this.pairs + pair;
  }
}

const BINS = 40;
const HISTOGRAM_MARGIN = { left: 40, right: 12, top: 30, bottom: 42 };

/** The cosine under a point of the screen. */
function cosineUnder(clientX, canvas, low) {
  const { left, width } = canvas.getBoundingClientRect();
  const inner = width - HISTOGRAM_MARGIN.left - HISTOGRAM_MARGIN.right;
  return low + ((1 - low) * (clientX - left - HISTOGRAM_MARGIN.left)) / inner;
}

/** Shares of values in equal bins from low to 1. */
function shares(values, low) {
  const bins = new Array(BINS).fill(0);
  for (const v of values) {
    const bin = Math.floor(((v - low) / (1 - low)) * BINS);
    bins[Math.min(Math.max(bin, 0), BINS - 1)] += 1 / values.length;
  }
  return bins;
}

/**
 * A histogram with the current pair as a line, the pairs that can be seen as ticks below, and above
 * it the medians of all sizes.
 */
function drawHistogram(canvas, pairs, kind, { n, pair, colours, colour }) {
  const { context, width, height } = clearCanvas(canvas);
  const { left, right, top, bottom } = HISTOGRAM_MARGIN;
  const box = { left, top, width: width - left - right, height: height - top - bottom };
  const { low } = pairs;
  const values = pairs.values(kind, n);
  const found = shares(values, low);
  const real = kind === "own" ? shares(pairs.values("real", n), low) : null;
  const most = Math.max(...found, ...(real ?? []));
  const byBin = (k) => left + (k / BINS) * box.width;
  const x = (v) => left + ((v - low) / (1 - low)) * box.width;
  const panel = new Panel(context, box, byBin, linear(0, most * 1.06, box), colours);
  const base = top + box.height;

  const step = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5].find((s) => most / s <= 4.5) ?? 0.5;
  for (let i = 0; i * step <= most * 1.06; i++) panel.tick(i * step, `${Math.round(100 * i * step)} %`, "left");
  panel.bars(found, colour, { first: 0.5 });
  if (real) {
    const outline = real.flatMap((share, k) => [[byBin(k), panel.y(share)], [byBin(k + 1), panel.y(share)]]);
    stroke(context, outline, colours.text, 1.25);
  }
  for (const v of values.subarray(0, pairs.pairs)) stroke(context, [[x(v), base + 1], [x(v), base + 6]], colours.muted, 1);
  const tenths = Math.ceil(Math.round(low * 1000) / 200);
  for (let t = tenths; t <= 5; t++) {
    panel.text(String(t / 5), x(t / 5), base + 15, { align: "center", colour: colours.muted });
  }
  panel.text("cosine similarity", left + box.width / 2, base + 33, { align: "center", colour: colours.muted });
  drawMedians(panel, pairs, kind, n, x);
  const current = values[pair];
  stroke(context, [[x(current), top], [x(current), base + 7]], colours.field, 4);
  stroke(context, [[x(current), top], [x(current), base + 7]], colours.text, 2);
}

/** A triangle over the median of each size, with its N where there is room: the current one first. */
function drawMedians(panel, pairs, kind, current, x) {
  const { context: c, colours, box } = panel;
  const edge = box.left + box.width + HISTOGRAM_MARGIN.right;
  const taken = [];
  const marks = [...pairs.sizes]
    .sort((a, b) => (b === current) - (a === current))
    .map((n) => ({ n, at: x(pairs.median(kind, n)), colour: n === current ? colours.text : colours.muted }));
  c.font = `12px ${colours.font}`;
  for (const { n, at, colour } of marks) {
    const text = n === current ? `N = ${shortNumber(n)}` : shortNumber(n);
    const half = c.measureText(text).width / 2;
    const middle = Math.min(Math.max(at, half), edge - half);
    if (taken.some(([from, to]) => middle - half < to + 5 && middle + half > from - 5)) continue;
    taken.push([middle - half, middle + half]);
    panel.text(text, middle, box.top - 18, { align: "center", colour });
  }
  for (const { n, at, colour } of marks.reverse()) {
    const size = n === current ? 5 : 3.5; // and the current one on top of the others
    c.fillStyle = colour;
    c.beginPath();
    c.moveTo(at, box.top - 1);
    c.lineTo(at - size, box.top - 1 - 1.6 * size);
    c.lineTo(at + size, box.top - 1 - 1.6 * size);
    c.fill();
  }
}

function stroke(context, points, colour, width) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  Object.assign(context, { strokeStyle: colour, lineWidth: width, lineJoin: "miter" });
  context.stroke();
}

function shortNumber(n) {
  return n >= 1000 && n % 1000 === 0 ? `${n / 1000}k` : String(n);
}
