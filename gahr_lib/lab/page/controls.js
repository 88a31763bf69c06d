// What the sections of the laboratory are made of.
import { element, freshId, palette, paintGrey, paintSigned } from "./draw.js";
import { Cancelled } from "./computer.js";

export function labelled(label, control) {
  control.id ||= freshId();
  return element("div", { class: "gx-control" }, element("label", { class: "gx-label", for: control.id }, label), control);
}

/** A list of choices: `choices` are [value, text] pairs. */
export function selection(choices, chosen, changed) {
  const options = choices.map(([value, text]) => element("option", { value }, text));
  const select = element("select", { change: () => changed(select.value) }, ...options);
  select.value = chosen;
  return select;
}

/** A whole number from 0 to 2^32 - 1, the seed of the noise, and a button that draws another. */
export function seedControl(changed) {
  const most = 2 ** 32 - 1;
  const title = `a whole number from 0 to ${most.toLocaleString("en")}`;
  const field = element("input", { type: "number", min: 0, max: most, step: 1, value: 0, title, class: "lab-seed" });
  let seed = 0;
  const set = (value) => {
    if (Number.isInteger(value) && value >= 0 && value <= most) {
      seed = value;
      field.removeAttribute("aria-invalid");
      changed();
    } else field.setAttribute("aria-invalid", "true");
  };
  field.addEventListener("input", () => set(field.valueAsNumber));
  const another = element("button", { type: "button", class: "gx-best" }, "another");
  another.addEventListener("click", () => {
    field.value = (seed + 1) % (most + 1);
    set(field.valueAsNumber);
  });
  const node = element("div", { class: "lab-row" }, labelled("seed of the noise", field), another);
  return { node, seed: () => seed };
}

/**
 * A picture with a caption: {node, show(values, texts, {signed, label}), paint}. The label is for
 * those who do not see it; the caption's texts if there is none.
 */
export function picture(kind, side) {
  const canvas = element("canvas", { class: "gx-image", role: "img", width: side, height: side });
  const caption = element("div", { class: "gx-caption" });
  const node = element("div", { class: `gx-picture lab-${kind}` }, canvas, caption);
  let latest;
  const paint = () => {
    if (!latest) return;
    if (latest.signed) paintSigned(canvas, latest.values, side, palette(node));
    else paintGrey(canvas, latest.values, side);
  };
  const show = (values, texts, { signed = false, label = texts.join(", ") } = {}) => {
    latest = { values, signed };
    canvas.setAttribute("aria-label", label);
    caption.replaceChildren(...texts.map((text) => element("span", { class: "gx-value" }, text)));
    paint();
  };
  return { node, show, paint };
}

/**
 * A button that starts a long task, one that cancels it, a bar, and a line that says how it ended.
 * `work(signal, tell)` does the task and returns the last line; `tell(share, text)` moves the bar.
 */
export function taskBar(name, work) {
  const start = element("button", { type: "button", class: "lab-start" }, name);
  const cancel = element("button", { type: "button", class: "gx-best", disabled: "" }, "Cancel");
  const bar = element("progress", { max: 1, value: 0, "aria-label": `${name}: progress` });
  const now = element("span", { class: "gx-of gx-value" });
  const line = element("p", { class: "gx-summary", role: "status" });
  let control = null;
  cancel.addEventListener("click", () => control?.abort());
  start.addEventListener("click", async () => {
    control = new AbortController();
    let focused = document.activeElement === start; // which a button that is switched off loses
    start.disabled = true;
    cancel.disabled = false;
    line.textContent = "Computing …";
    const began = performance.now();
    try {
      const words = await work(control.signal, (share, text) => {
        bar.value = share;
        now.textContent = text;
      });
      line.textContent = `${words} It took ${((performance.now() - began) / 1000).toFixed(1)} seconds.`;
    } catch (error) {
      line.textContent = error instanceof Cancelled ? "Cancelled." : `It did not work: ${error.message}`;
    } finally {
      if (document.activeElement !== document.body) focused = document.activeElement === cancel;
      start.disabled = false;
      cancel.disabled = true;
      if (focused) start.focus({ preventScroll: true });
      bar.value = 0;
      now.textContent = "";
    }
  });
  const node = element("div", {}, element("div", { class: "lab-row" }, start, cancel, bar, now), line);
  return { node };
}

export function section(title, ...children) {
  const heading = element("h2", { id: freshId() }, title);
  return element("section", { "aria-labelledby": heading.id }, heading, ...children);
}
