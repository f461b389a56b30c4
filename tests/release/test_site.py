"""The site builds, each of its links has a target, and a browser fetches nothing from another host."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from execloop.controller.status.state import STATES
from release.site.build import build, expand
from release.site.links import problems, read

ROOT = Path(__file__).parents[2]
DRAWINGS = sorted((ROOT / "docs" / "images").glob("*.svg"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "built"
    build(folder)
    return folder


def test_every_link_has_a_target_and_nothing_is_fetched_from_another_host(site: Path) -> None:
    assert list(problems(site)) == []


def test_every_page_of_the_docs_is_on_the_site(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    assert {page for page in pages if page.name != "README.html"} <= built


def test_every_page_of_the_docs_can_be_reached_from_the_first(site: Path) -> None:
    pages = read(site)
    todo, reached = [site / "index.html"], set()
    while todo:
        page = todo.pop()
        if page in pages and page not in reached:
            reached.add(page)
            todo += [(page.parent / link.partition("#")[0]).resolve() for link in pages[page].links]
    assert {path.name for path in pages if path not in reached} == {"404.html"}


def test_the_search_works_without_a_server(site: Path) -> None:
    assert (site / "search.js").is_file()
    assert 'src="assets/iframe-worker.js"' in (site / "index.html").read_text()
    assert (site / "assets" / "iframe-worker.js").is_file()


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<a href="other.html">', []),
        ('<a href="other.html#here">', []),
        ('<a href="https://example.com/">', []),
        ('<a href="lost.html">', ["page.html: lost.html: there is no such page"]),
        ('<a href="other.html#lost">', ["page.html: other.html#lost: that page has no such anchor"]),
        ('<a href="#lost">', ["page.html: #lost: that page has no such anchor"]),
        ('<img src="lost.svg">', ["page.html: lost.svg: there is no such page"]),
        (
            '<script src="https://example.com/x.js">',
            ["page.html: https://example.com/x.js: the browser would fetch it from another host"],
        ),
    ],
)
def test_a_link_without_a_target_is_found(tmp_path: Path, html: str, found: list[str]) -> None:
    (tmp_path / "other.html").write_text('<h1 id="here">')
    (tmp_path / "page.html").write_text(html)
    assert list(problems(tmp_path)) == found


def test_a_pattern_of_the_navigation_takes_the_pages_that_no_other_line_names() -> None:
    nav = [
        {"One": ["a.md", "lost.md"]},
        {"Two": ["x/*.md", "*.md"]},
        {"Three": ["lost/*.md"]},
        {"Four": [{"A": "x/b.md"}]},
    ]
    pages = ["a.md", "b.md", "x/a.md", "x/b.md", "x/y/c.md"]
    assert expand(nav, pages) == [{"One": ["a.md"]}, {"Two": ["x/a.md", "b.md"]}, {"Four": [{"A": "x/b.md"}]}]


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_says_what_it_shows_and_has_a_dark_scheme(drawing: Path) -> None:
    text = drawing.read_text()
    image = ET.fromstring(text)
    names = {element.tag.rpartition("}")[2]: element.text for element in image}
    assert names["title"]
    assert names["desc"]
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"https?://(?!www\.w3\.org)", text) == []


def test_the_drawing_of_the_states_has_every_state() -> None:
    image = ET.parse(ROOT / "docs" / "images" / "states.svg")
    texts = {element.text for element in image.iter() if element.tag.endswith("}text")}
    assert set(STATES) <= texts
