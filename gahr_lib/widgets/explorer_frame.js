// The frame that the explorers share: how they set traits, hear keys and hold their parts. After
// draw.js.

/** A function that sets traits, as { name: value }, and tells Python of them. */
function chooser(model) {
  return (traits) => {
    for (const [name, value] of Object.entries(traits)) model.set(name, value);
    model.save_changes();
  };
}

/** Call `act` with what `keys` holds for a key that is pressed alone, in place of its usual work. */
function onKeys(node, keys, act) {
  node.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || !alone(event)) return;
    event.preventDefault();
    act(keys[event.key]);
  });
}

function alone(event) {
  return !event.ctrlKey && !event.altKey && !event.metaKey;
}

/**
 * The root of an explorer, and a function that tells a screen reader what has changed. Keys that
 * move something in it turn slides and move cells elsewhere on a page: they stay inside.
 */
function explorerFrame(kind, label, ...children) {
  const live = element("p", { class: "gx-hidden", "aria-live": "polite" });
  const stay = (event) => {
    const moves = /^(Arrow\w+|Page\w+|Home|End)$/.test(event.key) && alone(event);
    if (moves && event.target.matches("input, select, [tabindex]")) event.stopPropagation();
  };
  const attributes = { class: `gx-explorer gx-${kind}`, role: "group", "aria-label": `Explorer: ${label}` };
  const root = element("div", { ...attributes, keydown: stay }, ...children, live);
  return { root, voice: announcer(live) };
}

/** A canvas for each name, to paint on, with a caption below it. */
function framedPictures(names) {
  return names.map((name) => {
    const canvas = element("canvas", { class: "gx-image", role: "img" });
    const caption = element("span", { class: "gx-caption" });
    return { name, canvas, caption, node: element("div", { class: `gx-picture gx-${name}` }, canvas, caption) };
  });
}

/** A list of the images by name: the list, and the control with its label. */
function imageChoice(names, chosen) {
  const id = freshId();
  const image = element(
    "select",
    { id, change: () => chosen(image.selectedIndex) },
    ...names.map((name) => element("option", {}, name)),
  );
  return { image, control: labelled("image", id, image) };
}

function labelled(text, id, ...nodes) {
  const label = element("label", { class: "gx-label", for: id }, text);
  return element("div", { class: "gx-control" }, label, ...nodes);
}

/**
 * A field for a whole number, which calls `typed`. `show` leaves it alone while it is empty under
 * somebody's hands, and where nothing is new, which would move the cursor.
 */
function numberField(attributes, typed) {
  const id = freshId();
  const node = element("input", {
    type: "number", id, step: 1, inputmode: "numeric", ...attributes,
    input: () => node.value !== "" && typed(node.valueAsNumber),
  });
  const show = (value) => {
    const typing = document.activeElement === node && node.value === "";
    if (!typing && node.value !== String(value)) node.value = value;
  };
  return { id, node, show };
}

/** "−0.50" for -0.5, "0.00" for -0.001. */
function signed(value) {
  return value.toFixed(2).replace(/^-(?=.*[1-9])/, "−").replace(/^-/, "");
}
