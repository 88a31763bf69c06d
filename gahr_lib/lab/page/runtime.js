// ONNX Runtime, and networks in it: on the processor, and on the graphics card where there is one.
import { download } from "./download.js";
import { messageOf } from "./errors.js";

const SAME = 1e-3; // how far the two may differ
const BLOCK = 28; // vectors in the race of the two
const PATIENCE = 15; // seconds for a graphics card that nobody insists on
const STUCK = 60; // seconds for one run on the graphics card, or to be ready for it, and no more
const OUTPUTS = { denoise: "denoised", product: "product" }; // as gahr_lib.export names them

/** Why the graphics card is not used, or "" if it can be tried. */
async function graphicsRefusal(wanted) {
  if (wanted === "processor") return "as you chose";
  if (!globalThis.navigator?.gpu) return "this browser has no WebGPU here";
  if (!("Suspending" in WebAssembly)) return "this browser cannot suspend WebAssembly";
  const adapter = await within(PATIENCE, navigator.gpu.requestAdapter()).catch(() => null);
  if (!adapter) return "there is no graphics card for WebGPU";
  if (wanted !== "graphics" && adapter.info?.isFallbackAdapter) return "WebGPU would run on the processor";
  return "";
}

/** Why the graphics card is not used after all: the browser's words, without those around them. */
function failure(error) {
  const words = messageOf(error).split(/message: /i).at(-1).replace(/\.?\s*$/, "");
  return `WebGPU failed (${words})`;
}

/** What a promise leads to, or an error if it takes longer than some seconds. */
function within(seconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took more than ${seconds} seconds`)), 1000 * seconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer)); // which holds the result
}

async function loadOrt(entry, heard) {
  const [binary, ort] = await Promise.all([
    download(entry, heard),
    import(new URL(entry.script, import.meta.url)).catch((error) => {
      throw new Error(`${entry.script} could not be loaded (${error.message}). Was it blocked?`);
    }),
  ]);
  ort.env.wasm.numThreads = 1; // more need headers that a plain host of pages does not send
  ort.env.wasm.wasmBinary = binary.buffer;
  ort.env.logLevel = "error"; // it warns that some nodes stay on the processor, as they should
  return ort;
}

export class Runtime {
  #manifest;
  #moved;
  #moving = null;
  #build; // of ONNX Runtime: "wasm", or "webgpu", which has both
  #ort;
  #graphs;
  #weights = new Map();
  #sessions = new Map();
  #last = Promise.resolve();
  /** Where each operation runs: "wasm" or "webgpu". */
  provider = { denoise: "wasm", product: "wasm" };
  /** Why the graphics card does not do both. */
  reason = "";

  /**
   * Load the runtime, the graphs and the first networks. `wanted` is "automatic", "processor" or
   * "graphics"; `heard(bytes, total)` is called as they come, and `moved(runtime)` if the graphics
   * card fails later and the processor takes over.
   */
  static async start(manifest, networks, wanted, heard, moved) {
    if (typeof WebAssembly !== "object") throw new Error("this browser has no WebAssembly in its workers");
    let reason = await graphicsRefusal(wanted);
    if (!reason) {
      try {
        const runtime = await new Runtime(manifest, moved).#load(networks, "webgpu", heard);
        const race = runtime.#compareProviders(networks[0], wanted);
        await (wanted === "graphics" ? race : within(PATIENCE, race));
        return runtime;
      } catch (error) {
        reason = failure(error);
      }
    }
    const runtime = await new Runtime(manifest, moved).#load(networks, "wasm", heard);
    runtime.reason = reason;
    return runtime;
  }

  constructor(manifest, moved) {
    this.#manifest = manifest;
    this.#moved = moved;
  }

  async #load(networks, build, heard) {
    this.#build = build;
    const { denoise, product } = this.#manifest.graphs;
    const own = networks.map((i) => this.#manifest.networks[i]);
    const entries = [this.#manifest.runtimes[build], denoise, product, ...new Set(own)];
    const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    let received = 0;
    const count = (bytes) => heard((received += bytes), total);
    const [ort, ...graphs] = await Promise.all([
      loadOrt(entries[0], count),
      download(denoise, count),
      download(product, count),
      ...networks.map((i) => this.#weightsOf(i, count)),
    ]);
    this.#ort = ort;
    this.#graphs = { denoise: graphs[0], product: graphs[1] };
    const black = new Float32Array(this.size);
    for (const i of networks) await this.denoise(i, black); // the first run of a session takes longest
    return this;
  }

  get size() {
    return this.#manifest.side ** 2;
  }

  /** f(y), for one image or several that lie one after the other. */
  denoise(network, y) {
    return this.#compute(network, "denoise", { y });
  }

  /** J(y) times each vector of a block, which lie one after the other. */
  product(network, y, v) {
    return this.#compute(network, "product", { y, v });
  }

  async #compute(network, operation, inputs) {
    await this.#weightsOf(network); // if these cannot be loaded, it is no fault of the card
    const build = this.#build;
    try {
      return await this.#run(network, operation, inputs);
    } catch (error) {
      if (build === "wasm") throw error;
      await this.#moveToProcessor(error);
      return this.#run(network, operation, inputs);
    }
  }

  /**
   * Compute without the graphics card from now on: a computer that slept, or a new driver, takes it
   * away from a page. In a runtime of its own, because the other may wait for the card for ever.
   */
  #moveToProcessor(error) {
    this.#moving ??= loadOrt(this.#manifest.runtimes.wasm).then((ort) => {
      [this.#ort, this.#build, this.#last] = [ort, "wasm", Promise.resolve()];
      this.#sessions.clear();
      this.provider = { denoise: "wasm", product: "wasm" };
      this.reason = failure(error);
      this.#moved(this);
    });
    this.#moving.catch(() => (this.#moving = null)); // to be tried again
    return this.#moving;
  }

  /** One run at a time: a session does not take a second one before it has ended the first. */
  async #run(network, operation, inputs, provider = this.provider[operation]) {
    const session = await this.#session(network, operation, provider);
    const { side } = this.#manifest;
    const { Tensor } = this.#ort;
    const tensors = Object.entries(inputs).map(([name, values]) => {
      return [name, new Tensor("float32", values, [values.length / this.size, 1, side, side])];
    });
    const run = this.#last.then(async () => {
      const outputs = session.run(Object.fromEntries(tensors));
      return (await (provider === "webgpu" ? within(STUCK, outputs) : outputs))[OUTPUTS[operation]].data;
    });
    this.#last = run.catch(() => {});
    return run;
  }

  #session(network, operation, provider) {
    const key = `${network} ${operation} ${provider}`;
    if (!this.#sessions.has(key)) this.#sessions.set(key, this.#open(network, operation, provider));
    const session = this.#sessions.get(key);
    session.catch(() => this.#sessions.delete(key)); // to be tried again
    return session;
  }

  async #open(network, operation, provider) {
    const data = await this.#weightsOf(network);
    const create = () => {
      const session = this.#ort.InferenceSession.create(this.#graphs[operation], {
        executionProviders: [provider],
        externalData: [{ path: this.#manifest.weights, data }],
      });
      return provider === "webgpu" ? within(STUCK, session) : session;
    };
    const session = this.#last.then(create);
    this.#last = session.catch(() => {});
    return session;
  }

  #weightsOf(network, heard) {
    if (!this.#weights.has(network)) {
      this.#weights.set(network, download(this.#manifest.networks[network], heard));
      this.#weights.get(network).catch(() => this.#weights.delete(network));
    }
    return this.#weights.get(network);
  }

  /** Let the graphics card do what it does faster than the processor, or all if that was asked. */
  async #compareProviders(network, wanted) {
    const image = Float32Array.from({ length: this.size }, (_, i) => 0.5 + 0.5 * Math.sin(i * i));
    const block = Float32Array.from({ length: BLOCK * this.size }, (_, i) => Math.cos(i * i));
    const inputs = { denoise: { y: image }, product: { y: image, v: block } };
    for (const [operation, given] of Object.entries(inputs)) {
      const results = {};
      for (const provider of ["wasm", "webgpu"]) {
        await this.#run(network, operation, given, provider);
        const start = performance.now();
        const values = await this.#run(network, operation, given, provider);
        results[provider] = { values, time: performance.now() - start };
      }
      const { wasm, webgpu } = results;
      const apart = wasm.values.reduce((most, v, i) => Math.max(most, Math.abs(v - webgpu.values[i])), 0);
      if (!(apart < SAME)) throw new Error(`its numbers are ${apart.toExponential(1)} away`);
      if (wanted === "graphics" || webgpu.time < wasm.time) this.provider[operation] = "webgpu";
      else this.reason = "for the rest the processor is faster";
    }
  }
}
