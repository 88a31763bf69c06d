// The page's side of the worker: tasks as promises, which can be cancelled.

/** A task that the reader ended. */
export class Cancelled extends Error {}

export class Computer {
  #worker;
  #open = new Map();
  #lastId = 0;
  #broken = null;

  constructor() {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const why = event.message ?? "it, or a script that it needs, was blocked or not found";
      this.#failAll(new Error(`The script that computes, worker.js, could not be run (${why}).`));
    };
  }

  /** Ask for a task; `heard` is called with what it tells on its way, and `signal` cancels it. */
  ask(task, given, { heard = () => {}, signal } = {}) {
    const id = this.#lastId++;
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(this.#broken);
      if (signal?.aborted) return reject(new Cancelled());
      this.#open.set(id, { resolve, reject, heard });
      signal?.addEventListener("abort", () => this.#worker.postMessage({ cancel: id }));
      this.#worker.postMessage({ id, task, given });
    });
  }

  end() {
    this.#worker.terminate();
  }

  #hear({ id, progress, result, error, cancelled }) {
    const { resolve, reject, heard } = this.#open.get(id) ?? {};
    if (!resolve) return;
    if (progress) return heard(progress);
    this.#open.delete(id);
    if (error === undefined) resolve(result);
    else reject(cancelled ? new Cancelled() : new Error(error));
  }

  #failAll(error) {
    this.#broken = error;
    const waiting = [...this.#open.values()];
    this.#open.clear();
    waiting.forEach(({ reject }) => reject(error));
  }
}
