"""SQL text, as far as a migration must be read: its statements, and which of them end a transaction."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["first_words", "split", "transaction_control"]

# What may hold a semicolon that ends no statement, and the semicolon that does.
_PART = re.compile(
    r"""
      --[^\n]*
    | /\*
    | (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | (?<![\w$])\$(?P<tag>[^\W\d]\w*|)\$.*?\$(?P=tag)\$
    | ;
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_CONTROL: Final = frozenset({"ABORT", "BEGIN", "COMMIT", "ROLLBACK", "START"})


def split(text: str) -> Iterator[str]:
    r"""Yield the statements of PostgreSQL's SQL, each without its semicolon; those of comments alone are left out.

    A body between BEGIN ATOMIC and END is not recognized as one statement.

    >>> list(split("select ';' -- a; b\n; select $$;$$;"))
    ["select ';' -- a; b", 'select $$;$$']

    """
    start = place = 0
    while found := _PART.search(text, place):
        place = _end_of_comment(text, found.end()) if found[0] == "/*" else found.end()
        if found[0] == ";":
            yield from _statement(text[start : found.start()])
            start = place
    yield from _statement(text[start:])


def transaction_control(text: str) -> str | None:
    """Return the first word of a statement that begins or ends a transaction; None when there is none."""
    firsts = (words[0] for words in map(first_words, split(text)) if words)
    return next((word for word in firsts if word in _CONTROL), None)


def first_words(statement: str, count: int = 4) -> tuple[str, ...]:
    """Return the first words of a statement, in upper case and without comments."""
    return tuple(_without_comments(statement).upper().split()[:count])


def _statement(text: str) -> Iterator[str]:
    if _without_comments(text).strip():
        yield text.strip()


def _end_of_comment(text: str, place: int) -> int:
    """Comments between /* and */ may hold others."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, place):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def _without_comments(text: str) -> str:
    kept, place, start = [], 0, 0
    while found := _PART.search(text, place):
        place = _end_of_comment(text, found.end()) if found[0] == "/*" else found.end()
        if found[0].startswith(("--", "/*")):
            kept.append(text[start : found.start()])
            start = place
    return " ".join([*kept, text[start:]])
