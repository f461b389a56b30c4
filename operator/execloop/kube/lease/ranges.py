"""Divide the Plans by their uids: N ranges of a hash, of which each Plan is in one.

`Shards` has a Lease for each range; the API server can filter by the same hash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Range", "fnv1a", "range_of", "shard_selector"]

_OFFSET, _PRIME, _BITS = 0xCBF29CE484222325, 0x100000001B3, 64
_MASK = (1 << _BITS) - 1
_MOST_TERMS = 16
_SUFFIX = re.compile(r"-([1-9]\d*)-(\d+)")


@dataclass(frozen=True, slots=True)
class Range:
    """The range `index` of `of`, counted from 0."""

    index: int
    of: int

    @classmethod
    def parse(cls, lease: str, base: str) -> Range | None:
        """Return the range that a Lease of this name stands for; None when it is not a Lease of a range of `base`."""
        if lease == base:
            return cls(0, 1)
        found = _SUFFIX.fullmatch(lease.removeprefix(base)) if lease.startswith(base) else None
        if found is None:
            return None
        of, index = map(int, found.groups())
        return cls(index, of) if index < of and of > 1 else None

    def lease(self, base: str) -> str:
        """Return the name of its Lease: the base itself where there is one range only."""
        return base if self.of == 1 else f"{base}-{self.of}-{self.index}"


def fnv1a(text: str) -> int:
    """Return the 64-bit FNV-1a hash, by which the API server can divide lists and watches too (KEP-5866).

    >>> hex(fnv1a("a"))
    '0xaf63dc4c8601ec8c'
    """
    value = _OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * _PRIME) & _MASK
    return value


def range_of(uid: str, of: int) -> int:
    """Return the index of the range that a uid is in.

    >>> range_of("a", 4)
    2
    """
    return 0 if of == 1 else fnv1a(uid) * of >> _BITS


def shard_selector(indexes: Iterable[int], of: int) -> str:
    """Return the parameter `shardSelector` by which the API server sends only objects of these ranges (KEP-5866).

    Neighbours become one term. For too many terms it covers what lies between them too: the caller filters again.

    >>> shard_selector([1], 2)
    "shardRange(object.metadata.uid, '0x8000000000000000', '0x10000000000000000')"
    """
    spans: list[tuple[int, int]] = []
    for index in sorted(set(indexes)):
        if spans and spans[-1][1] == index:
            spans[-1] = (spans[-1][0], index + 1)
        else:
            spans.append((index, index + 1))
    if len(spans) > _MOST_TERMS:
        spans = [(spans[0][0], spans[-1][1])]
    return " || ".join(
        f"shardRange(object.metadata.uid, '0x{_bound(first, of):016x}', '0x{_bound(end, of):016x}')"
        for first, end in spans
    )


def _bound(index: int, of: int) -> int:
    """Return the smallest hash of a range: the end of the one before it."""
    return -(-(index << _BITS) // of)
