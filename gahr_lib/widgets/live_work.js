// The line of a live explorer that says what Python is doing, and lets the reader cancel it.

const PATIENCE = 5000; // milliseconds without a word from Python, before the line says so

/**
 * `chosen` and `shown` return what the controls say and what the pictures show; `back` sets the
 * controls to the latter. Python is at work as long as the two differ, and says how far it is in
 * the trait `_work`: {text, share}, or {error}, or nothing.
 */
function workLine({ model, chosen, shown, back }) {
  const alone = !model.widget_manager; // a page without a kernel, see static-widgets.js
  const spoken = element("span", { class: "gx-phase", role: "status" });
  const bar = element("progress", { max: 1, "aria-label": "share of the computation that is done" });
  const detail = element("span", { class: "gx-detail" }); // changes too often to be spoken
  const cancel = element("button", { type: "button", class: "gx-cancel", click: back }, "Cancel");
  const node = element("div", { class: "gx-work" }, spoken, bar, detail, cancel);
  if (alone) {
    spoken.textContent =
      "Other choices need Python, which is not running in this page: open it in Binder, Colab or " +
      "your own Jupyter. Here k still moves, in what was computed last.";
    [bar, detail, cancel].forEach((part) => part.remove());
  }

  const same = () => JSON.stringify(chosen()) === JSON.stringify(shown());
  let [was, waiting, cancelled, silent] = ["ready", 0, false, false];
  cancel.addEventListener("click", () => (cancelled = was === "busy"));

  /** Say how it stands; true while Python is at work. */
  function show() {
    if (alone) return false;
    const { text = "", share = null, error } = model.get("_work");
    const state = same() ? "ready" : error ? "failed" : "busy";
    if (state !== was || silent) {
      spoken.textContent = {
        busy: "Computing …",
        failed: `This could not be computed. ${error} The pictures still show the choice before.`,
        ready: cancelled ? "Cancelled." : was === "failed" ? "" : "Done.",
      }[state];
      [was, cancelled, silent] = [state, false, false];
    }
    node.dataset.state = state;
    cancel.disabled = state === "ready";
    cancel.textContent = state === "failed" ? "Go back" : "Cancel";
    detail.textContent = state === "busy" ? text : "";
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    clearTimeout(waiting);
    if (state === "busy") {
      waiting = setTimeout(() => {
        silent = true;
        detail.textContent = "";
        spoken.textContent =
          "Python has not answered for a while. It may be busy with a cell, or not be running.";
      }, PATIENCE);
    }
    return state === "busy";
  }

  return { node, alone, show, forget: () => clearTimeout(waiting) };
}
