"""Many texts looked for in one, at once; the redactor asks. Time grows with the text, not with what is looked for."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["SHORTEST", "Found", "Needles"]

SHORTEST: Final = 4
"""Bytes: fewer are neither a needle nor the beginning of one."""

_LONG: Final = 64
"""From so many bytes on the beginning of a needle counts as found."""


class Found(NamedTuple):
    """What stands at a place of a text."""

    place: int
    beginning: int
    """Length of the longest beginning of any needle."""
    found: int
    """Length of the longest needle, or of as much as there is of a long one; 0: there is none."""


class Needles:
    """Kept sorted: those that share most with a text are the neighbours of the place where it would be sorted in."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        self._sorted = sorted(set(needles))
        self._starts = frozenset(needle[:SHORTEST] for needle in self._sorted)
        self._longest = max(map(len, self._sorted), default=0)
        self._lengths = _lengths(self._sorted)

    def __bool__(self) -> bool:
        return bool(self._sorted)

    def reversed(self) -> Needles:
        return Needles(needle[::-1] for needle in self._sorted)

    def find(self, text: bytes) -> Iterator[Found]:
        """Each place of the text where a needle begins, whole or not."""
        starts = self._starts
        for place in range(len(text) - SHORTEST + 1):
            if text[place : place + SHORTEST] in starts:
                yield self._look(text, place)

    def _look(self, text: bytes, place: int) -> Found:
        piece = text[place : place + self._longest]
        after = bisect_right(self._sorted, piece)
        beginning = found = 0
        for index in range(max(after - 1, 0), min(after + 1, len(self._sorted))):
            needle = self._sorted[index]
            common = _common(piece, needle)
            beginning = max(beginning, common)
            if common >= _LONG and len(needle) > _LONG:
                found = max(found, common)
            elif index < after:  # each needle that begins the piece begins the one before it too
                found = max(found, (self._lengths[index] & ((2 << common) - 1)).bit_length() - 1)
        return Found(place, beginning, found)


def _lengths(needles: list[bytes]) -> list[int]:
    """For each needle a set of bits: the lengths of the needles that it begins with, of those that are not long."""
    lengths: list[int] = []
    above: list[tuple[bytes, int]] = []
    for needle in needles:
        while above and not needle.startswith(above[-1][0]):
            above.pop()
        known = above[-1][1] if above else 0
        if len(needle) <= _LONG:
            known |= 1 << len(needle)
            above.append((needle, known))
        lengths.append(known)
    return lengths


def _common(one: bytes, other: bytes) -> int:
    """Length of what both begin with."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
