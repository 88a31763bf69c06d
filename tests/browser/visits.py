"""A page open in the browser, and what was heard of it."""

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator

# Set before any script of the page runs: when the first explorer is drawn and on the screen.
_FIRST_PICTURE = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("[data-drawn] canvas")) return;
  observer.disconnect();
  const note = () => (window.firstPicture = performance.now());
  requestAnimationFrame(() => requestAnimationFrame(note));
}).observe(document, { subtree: true, childList: true, attributes: true });
"""


class Visit:
    """A page in a context of its own.

    `complaints` are what must not be: errors and warnings on the console, uncaught errors, failed
    requests, and requests to any host but 127.0.0.1.
    """

    def __init__(self, browser: Browser, url: str, **settings: Any) -> None:
        settings.setdefault("viewport", {"width": 1280, "height": 900})
        self.complaints: list[str] = []
        self.context = browser.new_context(**settings)
        self.context.set_default_timeout(10_000)
        self.page = self.context.new_page()
        self.page.add_init_script(_FIRST_PICTURE)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{url}: {error}"))
        self.page.on("request", self._on_request)
        self.page.on("requestfailed", lambda r: self.complaints.append(f"failed: {r.url}"))
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

    def _on_response(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def close(self) -> None:
        self.context.close()

    def show_explorers(self) -> None:
        """Have all explorers of the page drawn, wherever a reader would be."""
        self.page.evaluate("gahrWidgets.showAll()")

    def scrolls_sideways(self) -> bool:
        return self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )


class Explorer:
    """The controls and pictures of a `ShrinkageExplorer` on a page."""

    def __init__(self, visit: Visit, index: int = 0) -> None:
        self.page = visit.page
        self.root = self.page.locator(".gx-explorer").nth(index)
        self.slider = self.root.get_by_role("slider")
        self.number = self.root.get_by_role("spinbutton")
        self.image = self.root.get_by_role("combobox")
        self.best = self.root.get_by_role("button", name="best M")
        self.plot = self.root.locator(".gx-plot")

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

    def picture(self, name: str = "denoised") -> str:
        """The pixels of one of the pictures, as a text that can be compared."""
        self.settle()
        return self.root.locator(f".gx-{name} canvas").evaluate("(c) => c.toDataURL()")

    def plotted(self) -> str:
        self.settle()
        return self.plot.evaluate("(c) => c.toDataURL()")

    def pixels(self, name: str, size: int) -> list[float]:
        """The grey of the middle of each of the size x size pixels of a picture, 0 to 255."""
        self.settle()
        script = """(canvas, size) => {
          const step = canvas.width / size;
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(canvas, 0, 0);
          const { data } = context.getImageData(0, 0, copy.width, copy.height);
          const grey = (i) => {
            const [row, column] = [Math.floor(i / size) + 0.5, (i % size) + 0.5];
            return data[4 * (Math.floor(row * step) * canvas.width + Math.floor(column * step))];
          };
          return Array.from({ length: size * size }, (_, i) => grey(i));
        }"""
        return self.root.locator(f".gx-{name} canvas").evaluate(script, size)

    def psnr(self) -> float:
        """The PSNR that is shown under the denoised image."""
        self.settle()
        return float(self.root.locator(".gx-denoised .gx-value").inner_text().split()[0])

    def kept(self) -> int:
        """The M that is shown."""
        self.settle()
        return int(self.number.input_value())
