// ONNX Runtime, and networks in it: on the processor, and on the graphics card where there is one.
import { download } from "./download.js";

const SAME = 1e-3; // how far the two may differ
const BLOCK = 28; // vectors in the race of the two
const PATIENCE = 15; // seconds for a graphics card that nobody insists on

/** Why the graphics card is not used, or "" if it can be tried. */
async function graphicsRefusal(wanted) {
  if (wanted === "processor") return "not wanted";
  if (!globalThis.navigator?.gpu) return "this browser has no WebGPU here";
  if (!("Suspending" in WebAssembly)) return "this browser cannot suspend WebAssembly";
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter) return "there is no graphics card for WebGPU";
  if (wanted !== "graphics" && adapter.info?.isFallbackAdapter) return "WebGPU would run on the processor";
  return "";
}

/** What a promise leads to, or an error if it takes longer than some seconds. */
function within(seconds, promise) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`it took more than ${seconds} seconds`)), 1000 * seconds);
  });
  return Promise.race([promise, late]);
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
   * "graphics"; `heard(bytes, total)` is called as they come.
   */
  static async start(manifest, networks, wanted, heard) {
    if (typeof WebAssembly !== "object") throw new Error("this browser has no WebAssembly in its workers");
    const reason = await graphicsRefusal(wanted);
    if (!reason) {
      try {
        const runtime = await new Runtime().#load(manifest, networks, "webgpu", heard);
        const race = runtime.#compareProviders(networks[0], wanted);
        await (wanted === "graphics" ? race : within(PATIENCE, race));
        return runtime;
      } catch (error) {
        const runtime = await new Runtime().#load(manifest, networks, "wasm", heard);
        runtime.reason = `WebGPU failed (${error.message})`;
        return runtime;
      }
    }
    const runtime = await new Runtime().#load(manifest, networks, "wasm", heard);
    runtime.reason = reason;
    return runtime;
  }

  async #load(manifest, networks, kind, heard) {
    this.#manifest = manifest;
    const { denoise, product } = manifest.graphs;
    const own = networks.map((i) => manifest.networks[i]);
    const entries = [manifest.runtimes[kind], denoise, product, ...new Set(own)];
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
  async denoise(network, y) {
    const session = await this.#session(network, "denoise");
    return this.#run(session, { y: this.#tensor(y) }, "denoised");
  }

  /** The map from a block of vectors to J(y) times each. */
  async jacobianAt(network, y) {
    const session = await this.#session(network, "product");
    const image = this.#tensor(y);
    return (block) => this.#run(session, { y: image, v: this.#tensor(block) }, "product");
  }

  #tensor(values) {
    const { side } = this.#manifest;
    return new this.#ort.Tensor("float32", values, [values.length / this.size, 1, side, side]);
  }

  /** One run at a time: a session does not take a second one before it has ended the first. */
  #run(session, inputs, output) {
    const run = this.#last.then(async () => (await session.run(inputs))[output].data);
    this.#last = run.catch(() => {});
    return run;
  }

  #session(network, operation, provider = this.provider[operation]) {
    const key = `${network} ${operation} ${provider}`;
    if (!this.#sessions.has(key)) this.#sessions.set(key, this.#open(network, operation, provider));
    const session = this.#sessions.get(key);
    session.catch(() => this.#sessions.delete(key)); // to be tried again
    return session;
  }

  async #open(network, operation, provider) {
    const data = await this.#weightsOf(network);
    const create = () =>
      this.#ort.InferenceSession.create(this.#graphs[operation], {
        executionProviders: [provider],
        externalData: [{ path: this.#manifest.weights, data }],
      });
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
    const inputs = {
      denoise: [{ y: this.#tensor(image) }, "denoised"],
      product: [{ y: this.#tensor(image), v: this.#tensor(block) }, "product"],
    };
    for (const [operation, given] of Object.entries(inputs)) {
      const results = {};
      for (const provider of ["wasm", "webgpu"]) {
        const session = await this.#session(network, operation, provider);
        await this.#run(session, ...given);
        const start = performance.now();
        const values = await this.#run(session, ...given);
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
