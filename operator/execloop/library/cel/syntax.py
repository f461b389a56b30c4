"""The syntax tree of a compiled expression: a `cel.expr.CheckedExpr` in the wire format of protocol buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CALL", "CONST", "IDENT", "LIST", "LOOP", "SELECT", "STRUCT", "Syntax"]

# Numbers of fields in cel/expr/checked.proto and cel/expr/syntax.proto.
_ANY_VALUE, _CHECKED_EXPR = 2, 4
CONST, IDENT, SELECT, CALL, LIST, STRUCT, LOOP = range(3, 10)
_ENTRIES, _FUNCTION = 2, 2
_PARTS = {SELECT: {1}, CALL: {1, 3}, LIST: {1}}


@dataclass(frozen=True, slots=True)
class Syntax:
    """A node of the syntax tree."""

    kind: int
    name: str = ""
    """The function of a call, the name of an identifier."""
    size: int = 0
    """Bytes of a constant."""
    parts: tuple[Syntax, ...] = ()
    """Of a loop: what it loops over, where it begins, its condition, its step and its result."""
    variables: tuple[str, ...] = ()
    """Of a loop: those of the member and the one that accumulates."""

    def names(self) -> Iterator[str]:
        """Yield the identifiers within the tree."""
        pending = [self]
        while pending:
            node = pending.pop()
            if node.kind == IDENT:
                yield node.name
            pending.extend(node.parts)

    @staticmethod
    def of(serialized: bytes) -> Syntax:
        """Return the tree of a serialized expression."""
        checked = _first(serialized, _ANY_VALUE)
        return _node(_first(checked, _CHECKED_EXPR))


def _node(message: bytes) -> Syntax:
    for number, content in _fields(message):
        if number == CONST:
            return Syntax(number, size=len(content))
        if number == IDENT:
            return Syntax(number, name=_first(content, 1).decode())
        if number in range(SELECT, LOOP + 1):
            return _compound(number, content)
    return Syntax(0)


def _compound(kind: int, content: bytes) -> Syntax:
    if kind == LOOP:
        names = tuple(_first(content, field).decode() for field in (1, 8, 3))
        return Syntax(kind, parts=tuple(_node(_first(content, part)) for part in (2, 4, 5, 6, 7)), variables=names)
    if kind == STRUCT:
        entries = [entry for number, entry in _fields(content) if number == _ENTRIES]
        return Syntax(kind, parts=tuple(part for entry in entries for part in _nodes(entry, {3, 4})))
    name = _first(content, _FUNCTION).decode() if kind == CALL else ""
    return Syntax(kind, name=name, parts=tuple(_nodes(content, _PARTS[kind])))


def _nodes(content: bytes, numbers: set[int]) -> Iterator[Syntax]:
    return (_node(part) for number, part in _fields(content) if number in numbers)


def _first(message: bytes, wanted: int) -> bytes:
    return next((content for number, content in _fields(message) if number == wanted), b"")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the number and the content of each field that has bytes as its content; skip numbers."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 2:  # noqa: PLR2004 - bytes of a length that precedes them
            length, at = _varint(message, at)
            yield key >> 3, message[at : at + length]
            at += length
        elif key & 7 == 0:
            _, at = _varint(message, at)
        else:
            at += 8 if key & 7 == 1 else 4


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while message[at] & 0x80:
        value |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | message[at] << shift, at + 1
