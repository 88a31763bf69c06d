from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from bs4 import BeautifulSoup

import small_site
from paper import assemble, order
from paper_page import PaperError

WAVES, WORDS = "chapters-waves", "appendix-words"


@pytest.fixture
def paper(tmp_path):
    """The paper of the small site, with more in its pages."""

    def lay_out(**bodies):
        return BeautifulSoup(assemble(*small_site.build(tmp_path, **bodies)), "html.parser")

    return lay_out


def link(soup, words):
    (found,) = [a["href"] for a in soup.select("article a") if a.get_text() == words]
    return found


def test_order_is_that_of_the_table_of_contents(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        small_site.TOC + "        sections:\n          - file: appendix/more\n"
    )
    assert order(tmp_path / "_toc.yml") == [
        ("index", ""),
        ("chapters/waves", "Chapters"),
        ("appendix/words", "Appendices"),
        ("appendix/more", ""),
    ]


def test_pages_follow_one_another_and_end_with_what_they_fold_away(paper):
    titles = [h1.get_text() for h1 in paper().find_all("h1")]
    assert titles == [
        "Contents", "Small book", "Waves", "Words", "Hints to the exercises",
        "Solutions to the exercises", "The code of the figures",
    ]  # fmt: skip


def test_names_of_pages_do_not_meet(paper):
    ids = [element["id"] for element in paper().select("[id]")]
    assert len(ids) == len(set(ids))
    assert {f"{WAVES}--more", f"{WORDS}--more"} <= set(ids)


def test_a_name_that_a_page_uses_twice_is_that_of_the_first(paper):
    soup = paper(words='<p id="same">First</p><p id="same">Second</p>')
    assert [e.get_text() for e in soup.select(f'[id="{WORDS}--same"]')] == ["First"]


def test_links_inside_the_book_lead_to_places_of_the_paper(paper):
    soup = paper()
    assert link(soup, "waves") == f"#{WAVES}"
    assert link(soup, "more") == f"#{WAVES}--more"
    assert link(soup, "there") == f"#{WAVES}--more"
    assert link(soup, "a word") == f"#{WORDS}--term"
    targets = [a["href"][1:] for a in soup.select('a[href^="#"]')]
    assert len(targets) > 10
    for target in targets:
        assert soup.find(id=target), target


def test_other_links_lead_to_where_the_site_is_published(paper):
    soup = paper()
    assert link(soup, "elsewhere") == "https://example.org/elsewhere"
    assert link(soup, "any") == f"{small_site.HOME}genindex.html#W"
    assert soup.select_one(".title-page a[href$='versions.html']")["href"].startswith(
        small_site.HOME
    )


def test_pictures_are_read_from_the_site_at_once(paper):
    for picture in paper().select("img"):
        assert Path(url2pathname(urlsplit(picture["src"]).path)).is_file()
        assert picture["loading"] == "eager"
        assert picture["alt"]


def test_hints_stand_at_the_end_and_the_pages_name_each_other(paper):
    soup = paper()
    chapter, end = soup.find(id=WAVES), soup.find(id="hints")
    exercise, listing = chapter.find(id=f"{WAVES}--ask"), end.find(id=f"{WAVES}--ask--hints")
    assert "Measure it." not in chapter.get_text()
    assert not soup.select("details.hint")
    assert exercise.select_one("[data-page-of]")["data-page-of"] == listing["id"]
    assert listing.select_one("[data-page-of]")["data-page-of"] == exercise["id"]
    words = [p.get_text() for p in listing.select("p:not(.pointer)")]
    assert words == ["Exercise 1", "Measure it.", "From crest to crest."]


def test_solutions_stand_at_the_end_and_their_page_is_named(paper):
    soup = paper()
    chapter, end = soup.find(id=WAVES), soup.find(id="solutions")
    assert "Two metres." not in chapter.get_text()
    assert "Two metres." in end.get_text()
    pointer = chapter.select_one(f'[data-page-of="{WAVES}--solution-1"]')
    assert end.find(id=pointer["data-page-of"])
    assert [h2.get_text() for h2 in end.select("h2")] == ["Waves"]


def test_folded_code_stands_at_the_end_and_shown_code_does_not(paper):
    soup = paper()
    chapter, end = soup.find(id=WAVES), soup.find(id="code")
    assert [pre.get_text() for pre in end.select("pre")] == ["draw_the_wave()", "import waves"]
    assert [pre.get_text() for pre in chapter.select("pre")] == [small_site.LONG_LINE]
    # Code that shows something names the page of it; its cell names the page of the code.
    assert [e["data-page-of"] for e in end.select("[data-page-of]")] == [f"{WAVES}--cell-draw"]
    assert chapter.select_one(f'[data-page-of="{WAVES}--cell-draw--code"]')


def test_a_book_without_exercises_has_no_page_of_solutions(tmp_path):
    site, toc = small_site.build(tmp_path)
    page = site / "chapters" / "waves.html"
    page.write_text(page.read_text().replace("solution dropdown", "other"))
    assert 'id="solutions"' not in assemble(site, toc)


def test_titles_are_words_and_no_markup(tmp_path):
    site, toc = small_site.build(tmp_path)
    page = site / "chapters" / "waves.html"
    page.write_text(page.read_text().replace("<h1>Waves", "<h1>Waves &lt;i&gt; &amp; i"))
    soup = BeautifulSoup(assemble(site, toc), "html.parser")
    assert soup.find(id="solutions").h2.get_text() == "Waves <i> & i"


def test_code_folded_inside_a_solution_is_shown_with_it(paper):
    soup = paper(
        waves='<div class="solution dropdown" id="s2"><div class="cell" id="cell-s"><details>'
        '<summary>Show</summary><div class="cell_input"><pre>answer()</pre></div></details></div>'
        "</div>"
    )
    assert "answer()" in soup.find(id="solutions").get_text()
    assert "answer()" not in soup.find(id="code").get_text()


def test_explorers_are_pictures_that_say_where_they_move(paper):
    soup = paper()
    picture = soup.select_one("[data-still]")
    note = picture.find_next_sibling()
    assert note.a["href"] == f"{small_site.HOME}chapters/waves.html#more"
    assert not soup.select(".still-note, script")


def test_tabs_of_two_pages_are_different_groups(paper):
    tab = '<input type="radio" name="tabs" id="tab"><label for="tab">A</label>'
    soup = paper(waves=tab, words=tab)
    names = {field["name"] for field in soup.select("input")}
    labels = [label["for"] for label in soup.select("label")]
    assert len(names) == 2
    assert labels == [field["id"] for field in soup.select("input")]


def test_other_boxes_that_fold_are_open(paper):
    soup = paper(words="<details><summary>Card</summary>What it holds.</details>")
    assert soup.select_one(f"#{WORDS} details").has_attr("open")


def test_contents_name_every_page_and_section(paper):
    soup = paper()
    assert [entry.get_text() for entry in soup.select("nav .entry")] == [
        "Small book", "Waves", "1.1. More waves", "Words", "Hints to the exercises", "Waves",
        "Solutions to the exercises", "Waves", "The code of the figures", "Waves",
    ]  # fmt: skip
    assert [part.get_text() for part in soup.select("nav .part")] == ["Chapters", "Appendices"]


def test_the_head_of_each_page_names_its_chapter(paper):
    style = paper().select_one("style").get_text()
    assert f'@page {WAVES} {{ @top-left {{ content: "Waves" }} }}' in style
    assert f"#{WAVES} {{ page: {WAVES} }}" in style


def test_a_page_that_is_not_built_is_named(tmp_path):
    site, toc = small_site.build(tmp_path)
    (site / "appendix" / "words.html").unlink()
    with pytest.raises(PaperError, match=r"words\.html is not there.*make book"):
        assemble(site, toc)


def test_a_page_of_another_make_is_refused(tmp_path):
    site, toc = small_site.build(tmp_path)
    (site / "appendix" / "words.html").write_text("<title>x</title><p>No article.</p>")
    with pytest.raises(PaperError, match=r"words\.html has no article with a title"):
        assemble(site, toc)


def test_a_link_to_no_place_is_named(paper):
    with pytest.raises(PaperError, match="lead nowhere:\nappendix/words: #chapters-waves--nowhere"):
        paper(words='<p><a href="../chapters/waves.html#nowhere">there</a></p>')


def test_a_site_that_is_published_nowhere_is_refused(tmp_path):
    site, toc = small_site.build(tmp_path)
    page = site / "index.html"
    page.write_text(page.read_text().replace('rel="canonical"', 'rel="other"'))
    with pytest.raises(PaperError, match=r"index\.html has no canonical address.*html_baseurl"):
        assemble(site, toc)
