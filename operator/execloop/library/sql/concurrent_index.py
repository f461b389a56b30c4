"""CREATE INDEX CONCURRENTLY: an attempt that ends early leaves an invalid index, which the next one must drop."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["ConcurrentIndex", "concurrent_index"]

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_CREATE = re.compile(
    rf"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<index>{_NAME})\s+ON\s+"
    rf"(?:ONLY\s+)?(?:(?P<schema>{_NAME})\s*\.\s*)?{_NAME}",
    re.IGNORECASE,
)


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
