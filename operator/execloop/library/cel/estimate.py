"""How much an expression could need at most, before it is evaluated.

cel-cpp ends loops after 10,000 iterations, but not what each of them may build: `items.map(i, text + text)` over 5,000
items needs gigabytes. So each `+`, loop and comparison of the syntax tree is counted with the sizes of what it gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from execloop.library.cel.functions import NAMES, OF_LISTS
from execloop.library.cel.syntax import CALL, CONST, IDENT, LIST, LOOP, STRUCT

if TYPE_CHECKING:
    from execloop.library.cel.syntax import Syntax
    from execloop.library.cel.values import Size

__all__ = ["MOST_WORK", "work"]

MOST_WORK = 64 * 2**20
"""Bytes, or about as many steps."""
MOST_ITERATIONS = 10_000
REFERENCE = 32
"""Bytes of one member of a list."""
OWN_CALL, OWN_MEMBER = 2048, 512
"""What a function of our own counts, and each member of a list that it is given: they are slower, and run in Python."""


class _Bound(NamedTuple):
    text: int
    length: int

    def __or__(self, other: _Bound) -> _Bound:
        return _Bound(max(self.text, other.text), max(self.length, other.length))

    def bytes(self) -> int:
        return self.text + REFERENCE * self.length


def work(syntax: Syntax, size: Size) -> int:
    """Return the most bytes or steps that an evaluation with values of such a size could need."""
    return _Estimate(size).of(syntax)


class _Estimate:
    def __init__(self, size: Size) -> None:
        self._given, self._values, self._needed = _Bound(size.text, size.length), size.values, 0

    def of(self, syntax: Syntax) -> int:
        self._visit(syntax, {}, 1)
        return self._needed

    def _visit(self, node: Syntax, known: dict[str, _Bound], times: int) -> _Bound:
        if node.kind == CONST:
            return _Bound(node.size, 0)
        if node.kind == IDENT:
            return known.get(node.name, self._given)
        if node.kind == LOOP:
            return self._loop(node, known, times)
        parts = [self._visit(part, known, times) for part in node.parts]
        made = _Bound(0, len(parts) if node.kind in {LIST, STRUCT} else 0)
        for part in parts:
            made |= part
        return self._call(node, parts, made, times) if node.kind == CALL else made

    def _call(self, node: Syntax, parts: list[_Bound], made: _Bound, times: int) -> _Bound:
        if node.name == "_+_":
            made = _Bound(sum(part.text for part in parts), sum(part.length for part in parts))
            self._needed += times * made.bytes()
        elif node.name == "matches":
            self._needed += times * made.text // 4
        elif node.name in {"_==_", "_!=_", "@in"} and not any(part.kind == CONST for part in node.parts):
            self._needed += times * self._values
        elif node.name in NAMES:
            self._needed += times * (OWN_CALL + (OWN_MEMBER * made.length if node.name in OF_LISTS else 0))
            made |= _Bound(OWN_CALL, 1)
        return made

    def _loop(self, node: Syntax, known: dict[str, _Bound], times: int) -> _Bound:
        over, begin, condition, step, result = node.parts
        member = self._visit(over, known, times)
        iterations = min(MOST_ITERATIONS, times * max(member.length, 1))
        inner = known | dict.fromkeys(node.variables[:-1], member)
        inner[node.variables[-1]] = self._visit(begin, known, times)
        self._visit(condition, inner, iterations)
        made = self._visit(step, inner, iterations)
        self._needed += iterations * REFERENCE
        inner[node.variables[-1]] = made | _Bound(0, member.length)
        return self._visit(result, inner, times)
