"""A site of three pages, built by hand as Sphinx builds the book, to be printed and packed."""

import shutil
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
HOME = "https://example.org/book/"
TOC = """\
format: jb-book
root: index
parts:
  - caption: Chapters
    chapters:
      - file: chapters/waves.ipynb
  - caption: Appendices
    chapters:
      - file: appendix/words
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title} — Small book</title>
<meta property="og:site_name" content="Small book &amp; more">
<link rel="canonical" href="{home}{name}.html">
<link rel="icon" href="data:,">
<link rel="stylesheet" media="print" href="{up}_static/print.css">
</head>
<body>
<article class="bd-article"><section id="{section}">
<h1>{title}<a class="headerlink" href="#{section}">#</a></h1>
{body}
</section></article>
<footer class="bd-footer-content"><div class="footer-item">By the authors.
<a href="{up}versions.html">Versions</a></div></footer>
</body>
</html>
"""
FRONT = """\
<p>Begin with <a href="chapters/waves.html">waves</a>, or look
<a href="appendix/words.html#term">a word</a> up, or <a href="genindex.html#W">any</a>.</p>
"""
LONG_LINE = "value = " + " + ".join(f"number_{i}" for i in range(30))
WAVES = f"""\
<p>See <a href="#more">more</a>, <a href="../appendix/words.html">words</a>, and
<a href="https://example.org/elsewhere">elsewhere</a>.</p>
<div class="cell tag_hide-input" id="cell-draw">
<details class="admonition hide"><summary>Show code</summary>
<div class="cell_input"><div class="highlight"><pre>draw_the_wave()</pre></div></div></details>
<div class="cell_output"><img src="../_images/wave.png" alt="A wave." loading="lazy"></div></div>
<div class="cell tag_hide-input" id="cell-imports">
<details class="admonition hide"><summary>Show code</summary>
<div class="cell_input"><div class="highlight"><pre>import waves</pre></div></div></details></div>
<section id="more"><h2><span class="section-number">1.1. </span>More waves</h2>
<div class="highlight"><pre>{LONG_LINE}</pre></div>
<div class="exercise admonition" id="ask"><p class="admonition-title">Exercise 1</p>
<p>How long is it?</p><details class="hint"><summary>Hint 1</summary><p>Measure it.</p></details>
<details class="hint"><summary>Hint 2</summary><p>From crest to crest.</p></details></div>
<div class="solution dropdown admonition" id="solution-1">
<p class="admonition-title">Solution to <a href="#ask">Exercise 1</a></p><p>Two metres.</p></div>
<div data-widget><img data-still src="../_images/still.png" alt="A still.">
<p class="still-note">Off.</p><script type="application/json">{{}}</script></div>
</section>
"""
WORDS = """\
<p id="more">As <a href="../chapters/waves.html#more">there</a>.</p>
<dl><dt id="term">Term</dt><dd>What a word says.</dd></dl>
<table class="table"><tr><td>{cells}</td></tr></table>
""".format(cells="</td><td>".join(f"1{i:02}.25" for i in range(16)))
PAGES = {
    "index": ("Small book", "start", FRONT),
    "chapters/waves": ("Waves", "top", WAVES),
    "appendix/words": ("Words", "top", WORDS),
    "genindex": ("Index", "top", '<p id="W">W</p>'),
    "versions": ("Versions", "top", ""),
}


def build(folder: Path, **bodies: str) -> tuple[Path, Path]:
    """Write the site and its table of contents; return both. `bodies` go to ends of pages."""
    site, toc = folder / "html", folder / "_toc.yml"
    toc.parent.mkdir(parents=True, exist_ok=True)
    toc.write_text(TOC)
    for name, (title, section, body) in PAGES.items():
        path = site / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * name.count("/")
        body += bodies.get(name.rpartition("/")[2], "")
        path.write_text(
            PAGE.format(title=title, name=name, home=HOME, up=up, section=section, body=body),
            encoding="utf-8",
        )
    for name, color in (("wave", (0, 90, 180)), ("still", (200, 80, 0))):
        path = site / "_images" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (300, 100), color).save(path)
    (site / "_static").mkdir()
    shutil.copy(ROOT / "book" / "_static" / "print.css", site / "_static")
    return site, toc
