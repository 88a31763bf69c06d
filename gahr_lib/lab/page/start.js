/* The laboratory before it is started: says what is missing, and loads the rest when asked. A plain
   script, not a module, so that it can speak where modules cannot be loaded. */
(() => {
  "use strict";
  const root = document.getElementById("laboratory");
  const notice = root.querySelector("[data-notice]");
  const folder = new URL(".", document.currentScript.src);

  /** What keeps the laboratory from working here, or "". */
  function obstacle() {
    if (location.protocol === "file:") {
      return (
        "The page was opened from a file, and browsers let no such page load networks. " +
        "Open it online, or run: gahr lab"
      );
    }
    if (typeof WebAssembly !== "object") return "This browser has no WebAssembly, or it is switched off.";
    if (typeof Worker !== "function") return "This browser has no web workers, or they are switched off.";
    if (typeof OffscreenCanvas !== "function") return "This browser is too old to draw what the laboratory shows.";
    return "";
  }

  function say(text) {
    notice.textContent = text;
  }

  const missing = obstacle();
  if (missing) {
    say(`The laboratory cannot run here. ${missing}`);
    return;
  }
  say("Nothing is loaded before you start: 15 to 17 MB, once.");
  const button = element("button", "Start the laboratory", { type: "button", className: "lab-start" });
  const label = element("label", "computed by ", { className: "lab-engine" });
  const engine = element("select", "", {});
  const engines = [
    ["automatic", "whatever is faster"],
    ["processor", "the processor"],
    ["graphics", "the graphics card"],
  ];
  engine.append(...engines.map(([value, text]) => element("option", text, { value })));
  label.append(engine);
  notice.before(button, label);
  button.addEventListener("click", async () => {
    button.disabled = engine.disabled = true;
    say("Loading …");
    try {
      const { openLaboratory } = await import(new URL("lab.js", folder));
      await openLaboratory(root, say, engine.value);
    } catch (error) {
      button.disabled = engine.disabled = false;
      if (document.activeElement === document.body) button.focus(); // it lost it when it was switched off
      const why = error.message.replace(/[.?]$/, "");
      // A browser does not ask again for a module that failed before the page is loaded anew.
      say(`The laboratory could not be started: ${why}. If something was blocked, allow it and reload the page.`);
    }
  });

  function element(tag, text, properties) {
    return Object.assign(document.createElement(tag), { textContent: text }, properties);
  }
})();
