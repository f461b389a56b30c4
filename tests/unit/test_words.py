"""The pages and the code use plain words: the list says what to write instead of a riddle.

Of a page, code is left out, in blocks and in lines: it quotes what a program prints. Of the code, every text is read:
messages, docstrings and comments.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ("docs/reference/", "docs/benchmarks/")
PAGES = {
    name: path
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    if not (name := str(path.relative_to(ROOT))).startswith(GENERATED)
}
SOURCES = {
    str(path.relative_to(ROOT)): path
    for folder in ("operator", "release", "benchmarks", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
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
    r"(?<!there )(is|are) no (?!longer|more|less|need|different)\w+": "is not a",
    r"whoever|whom": "who: the author, a user, a caller",
    r"(another|other) hands?": "another client",
    r"most often": "usually",
    r"now and then": "sometimes, or at which intervals",
    r"(once|one time) more": "again",
    r"in the midst of": "during, inside",
    r"anew": "again",
    r"(left|leaves?|leaving) behind": "abandon",
    r"(let|lets|letting) (it|them|\w+ Plans?) go": "release it, remove its finalizer",
    r"(is|are) fit for": "meets the requirements of, is ready for",
}
_CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def riddles(text: str) -> Iterator[str]:
    """Each word of the list in a page: its line, the word, and what to write instead."""
    prose = _CODE.sub(lambda code: re.sub(r"[^\n]", "-", code[0]), text)
    for pattern, instead in INSTEAD.items():
        for found in re.finditer(_spaced(pattern), prose, re.IGNORECASE):
            line = prose.count("\n", 0, found.start()) + 1
            yield f"line {line}: {' '.join(found[0].split())!r}: write {instead}"


def riddles_of_code(source: str) -> Iterator[str]:
    """Each word of the list in a text of the code: the line where the text begins, the word, and what to write."""
    for line, text in sorted([*_strings(source), *_comments(source)]):
        for pattern, instead in INSTEAD.items():
            for found in re.finditer(_spaced(pattern), text, re.IGNORECASE):
                yield f"line {line}: {' '.join(found[0].split())!r}: write {instead}"


def _strings(source: str) -> Iterator[tuple[int, str]]:
    """Texts and docstrings, and of a formatted one what is written between its values."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Comments, those of successive lines as one."""
    block: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != block[-1].start[0] + 1:
            yield _joined(block)
            block = []
        block.append(token)
    if block:
        yield _joined(block)


def _joined(block: list[tokenize.TokenInfo]) -> tuple[int, str]:
    return block[0].start[0], "\n".join(token.string.removeprefix("#") for token in block)


def _spaced(pattern: str) -> str:
    """A phrase may be broken at the end of a line."""
    return re.sub(r"(?<!there) ", r"\\s+", rf"\b(?:{pattern})\b")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_uses_plain_words(page: str) -> None:
    assert list(riddles(PAGES[page].read_text())) == []


@pytest.mark.parametrize("source", SOURCES)
def test_the_texts_of_the_code_use_plain_words(source: str) -> None:
    assert list(riddles_of_code(SOURCES[source].read_text())) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The work goes\non.", ["line 1: 'goes on': write continue"]),
        ("One\nThe CRD is not there.", ["line 2: 'is not there': write is not found, is missing"]),
        ("The log says `the CRD is not there`.", []),
        ("```text\nnobody\n```", []),
        ("A person continues.", []),
        ("The answer is no list.", ["line 1: 'is no list': write is not a"]),
        ("There is no list, and it is no longer than a line.", []),
    ],
)
def test_a_riddle_is_found_in_prose_and_not_in_code(text: str, expected: list[str]) -> None:
    assert list(riddles(text)) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('x = "It was told."', ["line 1: 'told': write reported, said, or an active verb"]),
        ('def f():\n    """The work goes\n    on."""', ["line 2: 'goes on': write continue"]),
        ('x = f"{told} and {y} went on"', ["line 1: 'went on': write continue"]),
        ("x = 1\n# It goes\n# on.", ["line 2: 'goes on': write continue"]),
        ("told = mend(spoil)  # a reason", []),
    ],
)
def test_a_riddle_is_found_in_texts_of_the_code_and_not_in_names(source: str, expected: list[str]) -> None:
    assert list(riddles_of_code(source)) == expected
