// The page's side of the worker: tasks as promises, which can be cancelled.

/** A task that the reader ended. */
export class Cancelled extends Error {}

export class Computer {
  #worker;
  #open = new Map();
  #lastId = 0;
  #broken = null;

  /** `engineChanged` is called with where networks are computed from now on, if that changes. */
  constructor(engineChanged) {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => (data.engine ? engineChanged(data.engine) : this.#hear(data));
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const why = event.message ?? "it, or a script that it needs, was blocked or not found";
      this.#failAll(new Error(`The script that computes, worker.js, could not be run (${why}). Reload the page.`));
    };
  }

  /**
   * Ask for a task; `heard` is called with what it tells on its way. `signal` cancels it: here at
   * once, there when the worker looks up, which may be after a download.
   */
  ask(task, given, { heard = () => {}, signal } = {}) {
    const id = this.#lastId++;
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(this.#broken);
      if (signal?.aborted) return reject(new Cancelled());
      this.#open.set(id, { resolve, reject, heard });
      signal?.addEventListener("abort", () => {
        this.#worker.postMessage({ cancel: id });
        this.#open.delete(id);
        reject(new Cancelled());
      });
      this.#worker.postMessage({ id, task, given });
    });
  }

  end() {
    this.#worker.terminate();
  }

  #hear({ id, progress, result, error }) {
    const { resolve, reject, heard } = this.#open.get(id) ?? {};
    if (!resolve) return; // it was cancelled
    if (progress) return heard(progress);
    this.#open.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(error));
  }

  #failAll(error) {
    this.#broken = error;
    const waiting = [...this.#open.values()];
    this.#open.clear();
    waiting.forEach(({ reject }) => reject(error));
  }
}
