// The thread that computes, so that the page never waits. Each message asks for one task; answers
// carry its id. A task that is told to stop does so between two steps or blocks.
import { sampleSteps } from "./algorithm1.js";
import { messageOf } from "./errors.js";
import { adaptiveBasis } from "./jacobian.js";
import { noiseStream } from "./noise.js";
import { Runtime } from "./runtime.js";

let runtime;
const running = new Set();
const cancelled = new Set();

const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()();

/** Let other messages in, and end the task if one of them said so. */
async function breathe(id) {
  await new Promise((done) => {
    waiting.push(done);
    channel.port2.postMessage(null);
  });
  if (cancelled.has(id)) throw new Error("cancelled"); // which the page does not wait for
}

const tasks = {
  async start({ manifest, networks, wanted }, tell) {
    const heard = (received, total) => tell({ received, total });
    const moved = (changed) => self.postMessage({ engine: engineOf(changed) });
    runtime = await Runtime.start(manifest, networks, wanted, heard, moved);
    return engineOf(runtime);
  },

  /** What each network makes of an image, and how many milliseconds it took. */
  async denoise({ networks, y }, _tell, rest) {
    const results = [];
    for (const network of networks) {
      await rest();
      const start = performance.now();
      const image = await runtime.denoise(network, y);
      results.push({ image, milliseconds: performance.now() - start });
    }
    return results;
  },

  /** Algorithm 1 with each network, from one noise; tells the states after every step. */
  async sample({ networks, config, seed }, tell, rest) {
    const walks = networks.map((network) => {
      const noise = noiseStream(seed, runtime.size);
      return sampleSteps((x) => runtime.denoise(network, x), noise, config);
    });
    const states = [];
    do {
      for (const [i, walk] of walks.entries()) {
        if (states[i]?.finished) continue;
        states[i] = (await walk.next()).value;
      }
      tell({ states });
      await rest();
    } while (!states.every(({ finished }) => finished));
    return { states };
  },

  /** The leading eigenvectors of the symmetric part of a network's Jacobian at an image. */
  async basis({ network, y, k }, tell, rest) {
    const product = (block) => runtime.product(network, y, block);
    return adaptiveBasis(product, runtime.size, k, async (share) => {
      tell({ share });
      await rest();
    });
  },
};

function engineOf({ provider, reason }) {
  return { provider, reason };
}

self.onmessage = async ({ data: { id, task, given, cancel } }) => {
  if (cancel !== undefined) {
    if (running.has(cancel)) cancelled.add(cancel);
    return;
  }
  running.add(id);
  try {
    const result = await tasks[task](given, (progress) => self.postMessage({ id, progress }), () => breathe(id));
    self.postMessage({ id, result });
  } catch (error) {
    self.postMessage({ id, error: messageOf(error) });
  } finally {
    running.delete(id);
    cancelled.delete(id);
  }
};
