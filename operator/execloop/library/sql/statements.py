"""SQL text, as far as it must be read: statements, which of them end a transaction, which build an index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ConcurrentIndex", "concurrent_index", "first_words", "split", "transaction_control"]

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
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_CREATE = re.compile(
    rf"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<index>{_NAME})\s+ON\s+"
    rf"(?:ONLY\s+)?(?:(?P<schema>{_NAME})\s*\.\s*)?{_NAME}",
    re.IGNORECASE,
)
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


class ConcurrentIndex(NamedTuple):
    """An index stands in the schema of its table; `schema` is None where the search path decides."""

    schema: str | None
    name: str

    @property
    def place(self) -> tuple[str, ...]:
        return (self.name,) if self.schema is None else (self.schema, self.name)


def concurrent_index(statement: str) -> ConcurrentIndex | None:
    """Return which index a statement creates concurrently; None when it does something else.

    >>> concurrent_index("create index concurrently By_Name on shop.item (name)")
    ConcurrentIndex(schema='shop', name='by_name')

    """
    found = _CREATE.match(statement)
    if found is None:
        return None
    return ConcurrentIndex(_folded(found["schema"]), _folded(found["index"]) or "")


def _folded(name: str | None) -> str | None:
    """As PostgreSQL reads an identifier."""
    if name is None:
        return None
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
