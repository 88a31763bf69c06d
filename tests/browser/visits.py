"""A page open in the browser, and what was heard of it."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator

# For what has long happened on most machines: one that does other things as well may be slow.
PATIENCE_MS = 30_000

# Set before any script of the page runs: when the first explorer is drawn and on the screen.
_FIRST_PICTURE = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("[data-drawn] canvas")) return;
  observer.disconnect();
  const note = () => (window.firstPicture = performance.now());
  requestAnimationFrame(() => requestAnimationFrame(note));
}).observe(document, { subtree: true, childList: true, attributes: true });
"""

# The pixels of a part of a canvas, top left first: red, green, blue and opacity of each. They are
# those of a copy: the canvas itself is not made for reading, and the browser would complain.
_READ = """
window.pixelsOf = (canvas, x = 0, y = 0, width = canvas.width, height = canvas.height) => {
  const context = new OffscreenCanvas(canvas.width, canvas.height)
    .getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return context.getImageData(x, y, width, height).data;
};
"""

PHONE = {"width": 390, "height": 844}


class Visit:
    """A page in a context of its own.

    `complaints` are what must not be: errors and warnings on the console, uncaught errors, failed
    requests, and requests to any host but 127.0.0.1.
    """

    def __init__(self, browser: Browser, url: str, **settings: Any) -> None:
        settings.setdefault("viewport", {"width": 1280, "height": 900})
        self.complaints: list[str] = []
        self.context = browser.new_context(**settings)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.page.add_init_script(_FIRST_PICTURE + _READ)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{url}: {error}"))
        self.page.on("request", self._on_request)
        self.page.on("requestfailed", self._on_failure)
        self.page.on("response", self._on_response)
        self.page.goto(url)

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            where = message.location.get("url") or self.page.url
            self.complaints.append(f"{self.page.url}: {message.text} ({where})")

    def _on_request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "file") and parts.hostname != "127.0.0.1":
            self.complaints.append(f"asked another host: {request.url}")

    def _on_failure(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # as what is on its way when a page is left
            self.complaints.append(f"failed: {request.url} ({request.failure})")

    def _on_response(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def close(self) -> None:
        # What is still on its way fails because the page is left.
        self.page.remove_listener("requestfailed", self._on_failure)
        self.context.close()

    def show_explorers(self) -> None:
        """Have all explorers of the page drawn, wherever a reader would be."""
        self.page.evaluate("gahrWidgets.showAll()")

    def scrolls_sideways(self) -> bool:
        return self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )


class Explorer:
    """The controls and pictures of an explorer on a page; the names are the `ShrinkageExplorer`'s.

    It is found through a visit, or through another explorer of the same page.
    """

    def __init__(self, visit: "Visit | Explorer", index: int = 0) -> None:
        self.page = visit.page
        self.root = self.page.locator(".gx-explorer").nth(index)
        self.slider = self.root.get_by_role("slider")
        self.number = self.root.get_by_role("spinbutton")
        self.image = self.root.get_by_role("combobox")
        self.best = self.root.get_by_role("button", name="best M")
        self.plot = self.root.locator(".gx-plot")
        self.summary = self.root.locator(".gx-summary")
        self.live = self.root.locator("[aria-live=polite]")  # what screen readers are told

    def radio(self, group: str, name: str) -> Locator:
        # Exactly: "1" is in "0.1" as well.
        bar = self.root.get_by_role("radiogroup", name=group)
        return bar.get_by_role("radio", name=name, exact=True)

    def choose(self, group: str, name: str) -> None:
        self.radio(group, name).click()
        self.settle()

    def choose_image(self, index: int) -> None:
        self.image.select_option(index=index)
        self.settle()

    def keep(self, m: int) -> None:
        self.number.fill(str(m))
        self.settle()

    def settle(self) -> None:
        """Wait until a change has been drawn."""
        self.page.evaluate("() => new Promise((r) => requestAnimationFrame(() => setTimeout(r)))")

    def tap(self, x: float, y: float) -> None:
        """Tap with a finger, and wait until what it tapped has been told."""
        # A click comes after the tap, and the browser may say before it that the tap is done.
        self.page.evaluate("""() => {
          window.tapped = false;
          addEventListener("click", () => (window.tapped = true), { once: true });
        }""")
        self.page.touchscreen.tap(x, y)
        self.page.wait_for_function("() => window.tapped")
        self.settle()

    def darken(self) -> None:
        """Choose the dark theme, as the button of the book does."""
        self.page.evaluate("document.documentElement.dataset.theme = 'dark'")

    def print(self) -> None:
        """Show the page as it is on paper, when its scripts have been told."""
        self.page.evaluate("""() => {
          window.told = false;
          matchMedia("print").addEventListener("change", () => (window.told = true));
        }""")
        self.page.emulate_media(media="print")
        self.page.wait_for_function("() => window.told")

    def wait_until_said(self, text: str) -> None:
        """Wait until a screen reader has been told something with this text."""
        self.live.filter(has_text=text).wait_for(state="attached")

    # --------------------------------------------------------------------- pictures

    def canvas(self, name: str) -> Locator:
        return self.root.locator(f".gx-{name} canvas")

    def picture(self, name: str = "denoised") -> str:
        """The pixels of one of the pictures, as a text that can be compared."""
        self.settle()
        return self.canvas(name).evaluate("(c) => c.toDataURL()")

    def plotted(self) -> str:
        self.settle()
        return self.plot.evaluate("(c) => c.toDataURL()")

    def seen(self) -> dict[str, str]:
        """All that is drawn, by the class of what it is in, as texts that can be compared."""
        self.settle()
        return self.root.evaluate("""(root) => {
          const seen = {};
          for (const canvas of root.querySelectorAll("canvas")) {
            const name = canvas.parentElement.className.split(" ").at(-1).replace("gx-", "");
            seen[name] = (seen[name] ?? "") + (canvas.hidden ? "hidden" : canvas.toDataURL());
          }
          return seen;
        }""")

    def changed_by(self, act: Callable[[], object]) -> set[str]:
        """The names of all that looks different after an act."""
        before = self.seen()
        act()
        after = self.seen()
        assert after.keys() == before.keys()
        return {name for name in after if after[name] != before[name]}

    def colours(self, name: str, height: int, width: int) -> list[list[int]]:
        """Red, green and blue of the middle of each of the height x width pixels of a picture."""
        self.settle()
        script = """(canvas, [height, width]) => {
          const data = pixelsOf(canvas);
          return Array.from({ length: height * width }, (_, i) => {
            const row = Math.floor(((Math.floor(i / width) + 0.5) * canvas.height) / height);
            const column = Math.floor((((i % width) + 0.5) * canvas.width) / width);
            const start = 4 * (row * canvas.width + column);
            return [...data.slice(start, start + 3)];
          });
        }"""
        return self.canvas(name).evaluate(script, [height, width])

    def ink(self, name: str) -> list[int]:
        """Red, green and blue of one of the colours of the style sheet."""
        script = "(root, name) => getComputedStyle(root).getPropertyValue(name).trim()"
        text = self.root.evaluate(script, f"--gx-{name}")
        return [int(text[i : i + 2], 16) for i in (1, 3, 5)]

    def pixels(self, name: str, size: int) -> list[int]:
        """The grey of the middle of each of the size x size pixels of a picture, 0 to 255."""
        return [red for red, _, _ in self.colours(name, size, size)]

    # --------------------------------------------------------------------- words

    def value(self, name: str) -> float:
        """The number under a picture, which may stand behind its letter or before its unit."""
        text = self.root.locator(f".gx-{name} .gx-value").inner_text()
        return float(re.search(r"(?:^|= )(−?[\d.]+)(?: dB)?$", text)[1].replace("−", "-"))

    def psnr(self) -> float:
        """The PSNR that is shown under the denoised image."""
        self.settle()
        return float(self.root.locator(".gx-denoised .gx-value").inner_text().split()[0])

    def kept(self) -> int:
        """The M that is shown."""
        self.settle()
        return int(self.number.input_value())

    # --------------------------------------------------------------------- manners

    def cramped(self) -> list[str]:
        """What sticks out of the page or is too small for a finger (WCAG 2.2, 2.5.8)."""
        return self.root.evaluate("""(root) => {
          const page = document.documentElement;
          const parts = root.querySelectorAll("canvas:not([hidden]), input, select, button");
          const cramped = [...parts].filter((part) => {
            const { left, right, width, height } = part.getBoundingClientRect();
            return left < 0 || right > page.clientWidth + 0.5 || Math.min(width, height) < 24;
          });
          if (page.scrollWidth > page.clientWidth) cramped.push(page);
          return cramped.map((part) => part.outerHTML.slice(0, 200));
        }""")

    def nameless(self) -> list[str]:
        """Controls and pictures without a name; a picture in a label is a part of a name."""
        return self.root.evaluate("""(root) => {
          const name = (part) => part.getAttribute("aria-label")
            || [...(part.labels ?? [])].map((label) => label.textContent).join("")
            || (part.matches("button") ? part.textContent : "");
          const all = "input, select, button, progress, canvas:not(label canvas)";
          return [...root.querySelectorAll(all)]
            .filter((part) => !name(part).trim())
            .map((part) => part.outerHTML);
        }""")
