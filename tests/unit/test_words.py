"""README.md and the pages of docs/ use plain words: the list says what to write instead of a riddle.

Code, in blocks and in lines, is left out: it quotes what a program prints.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ("docs/reference/", "docs/benchmarks/")
PAGES = {
    name: path.read_text()
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    if not (name := str(path.relative_to(ROOT))).startswith(GENERATED)
}
INSTEAD = {
    r"told": "reported, said, or an active verb",
    r"nobody|somebody": "who: no user, a person, another controller",
    r"(go|goes|going|went|gone) on": "continue",
    r"(is|are|was|were) not there": "is not found, is missing",
    r"mend(s|ed|ing)?": "fix",
    r"spoil(s|ed|t|ing)?": "break",
    r"(held|holds?|holding) (up|\w+ up|the \w+ up)": "delay, block",
    r"(come|comes|came|coming) true": "what happens",
    r"(the|a) lack": "what is missing",
    r"by itself": "name what does it, or leave it out",
}
_CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def riddles(text: str) -> Iterator[str]:
    """Each word of the list in a page: its line, the word, and what to write instead."""
    prose = _CODE.sub(lambda code: re.sub(r"[^\n]", "-", code[0]), text)
    for pattern, instead in INSTEAD.items():
        for found in re.finditer(_spaced(pattern), prose, re.IGNORECASE):
            line = prose.count("\n", 0, found.start()) + 1
            yield f"line {line}: {' '.join(found[0].split())!r}: write {instead}"


def _spaced(pattern: str) -> str:
    """A phrase may be broken at the end of a line."""
    return rf"\b(?:{pattern})\b".replace(" ", r"\s+")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_uses_plain_words(page: str) -> None:
    assert list(riddles(PAGES[page])) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The work goes\non.", ["line 1: 'goes on': write continue"]),
        ("One\nThe CRD is not there.", ["line 2: 'is not there': write is not found, is missing"]),
        ("The log says `the CRD is not there`.", []),
        ("```text\nnobody\n```", []),
        ("A person continues.", []),
    ],
)
def test_a_riddle_is_found_in_prose_and_not_in_code(text: str, expected: list[str]) -> None:
    assert list(riddles(text)) == expected
