"""The laboratory open in a page, and Python's own account of its noise."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from playwright.sync_api import Locator, expect
from torch import Tensor

from browser.visits import Visit
from gahr_lib.lab import NETWORKS, laboratory_server

READY_MS = WORK_MS = 120_000  # on a machine that does other things as well


@contextmanager
def served() -> Iterator[str]:
    """The address of ``gahr lab`` while it runs."""
    server = laboratory_server(0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Laboratory:
    """The controls of a laboratory, and the numbers behind its pictures."""

    def __init__(self, visit: Visit, *, engine: str = "processor") -> None:
        self.visit, self.page = visit, visit.page
        self.root = self.page.locator("#laboratory")
        self.notice = self.page.locator("[data-notice]")
        self.starter = self.page.get_by_role("button", name="Start the laboratory")
        self.engine = self.page.get_by_label("computed by")
        if self.starter.count():
            self.engine.select_option(engine)

    def start(self, *, patience: int = READY_MS) -> "Laboratory":
        self.starter.click()
        expect(self.root.locator(".lab-open")).to_be_visible(timeout=patience)
        return self

    def section(self, name: str) -> Locator:
        return self.root.get_by_role("region", name=name, exact=True)

    @property
    def denoise(self) -> Locator:
        return self.section("Denoise")

    @property
    def sampling(self) -> Locator:
        return self.section("Sample")

    @property
    def eigenvectors(self) -> Locator:
        return self.section("Eigenvectors")

    def network(self, place: str) -> Locator:
        return self.root.get_by_role("group", name=f"{place} network")

    def choose_networks(self, n: int) -> None:
        """Trained on n images of A, and on n images of B."""
        for place in ("first", "second"):
            self.network(place).get_by_label("training images N").select_option(str(n))
        self.settle()

    def choose_half(self, place: str, half: str) -> None:
        group = self.network(place).get_by_role("radiogroup", name="half")
        group.get_by_role("radio", name=half, exact=True).click()
        self.settle()

    def set_sigma(self, sigma: float) -> None:
        self.denoise.get_by_label("noise σ").fill(str(sigma))
        self.settle()

    def results(self, kind: str) -> Any:
        """The latest numbers of a section; None if there are none."""
        return self.root.evaluate(f"""(root) => {{
          const plain = (v) =>
            ArrayBuffer.isView(v) || Array.isArray(v) ? Array.from(v, plain)
            : v && typeof v === "object"
              ? Object.fromEntries(Object.entries(v).map(([k, w]) => [k, plain(w)]))
            : v;
          return plain(root.results?.{kind} ?? null);
        }}""")

    def settle(self) -> None:
        """Wait until the networks have answered the last change, and are quiet."""
        script = """async (root, patience) => {
          const end = performance.now() + patience;
          let quiet = 0;
          while (quiet < 10) {
            await new Promise((done) => setTimeout(done, 25));
            quiet = root.querySelector('[aria-busy="true"]') ? 0 : quiet + 1;
            if (performance.now() > end) throw new Error("the laboratory is still busy");
          }
        }"""
        self.root.evaluate(script, WORK_MS)

    def follow(self, scheme: str) -> None:
        """Have the system prefer light or dark, and wait until the page has followed."""
        self.page.emulate_media(color_scheme=scheme)
        told = "(scheme) => document.documentElement.dataset.theme === scheme"
        self.page.wait_for_function(told, arg=scheme)

    def work(self, section: Locator) -> str:
        """Have a section do its long task; return what it says at the end."""
        button = section.locator(".lab-start")
        button.click()  # which switches it off at once
        expect(button).to_be_enabled(timeout=WORK_MS)
        return section.get_by_role("status").inner_text()

    def pixels(self, section: Locator, kind: str) -> str:
        """One of the pictures of a section as a text that can be compared."""
        return section.locator(f".lab-{kind} canvas").evaluate("(canvas) => canvas.toDataURL()")

    def trouble(self) -> str:
        return self.denoise.get_by_role("alert").inner_text()


def network_name(index: int) -> dict[str, Any]:
    """What `gahr_lib.load_denoiser` calls a network of the manifest."""
    return {"n_train": NETWORKS[index].n, "half": NETWORKS[index].half}


def images(*rows: list[float]) -> Tensor:
    """Numbers of the page as a batch of images."""
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 1, 28, 28)


def noise_of(seed: int) -> Iterator[Tensor]:
    """Images of the noise that the page draws from a seed, by its description in noise.js."""
    numbers = _xoshiro128(seed)
    while True:
        values: list[float] = []
        while len(values) < 784:
            u, v = ((next(numbers) + 0.5) / 2**32 for _ in range(2))
            radius, angle = math.sqrt(-2 * math.log(u)), 2 * math.pi * v
            values += [radius * math.cos(angle), radius * math.sin(angle)]
        yield images(values)


def _xoshiro128(seed: int) -> Iterator[int]:
    full = 2**32 - 1

    def rotate(x: int, k: int) -> int:
        return (x << k | x >> (32 - k)) & full

    s = []
    for i in range(1, 5):
        z = (seed + i * 0x9E3779B9) & full
        z = ((z ^ z >> 16) * 0x21F0AAAD) & full
        z = ((z ^ z >> 15) * 0x735A2D97) & full
        s.append(z ^ z >> 15)
    while True:
        yield rotate(s[1] * 5 & full, 7) * 9 & full
        t = s[1] << 9 & full
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 11)
