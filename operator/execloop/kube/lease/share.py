"""Which ranges a replica takes, and which it gives up: a pure rule over one list of all Leases.

`Shards` asks it at each turn.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Sight", "to_give", "to_take"]


@dataclass(frozen=True, slots=True)
class Sight:
    """`holders` has the ranges that are held, each with its holder; `members` all replicas that are alive."""

    ranges: int
    holders: Mapping[int, str]
    members: frozenset[str]
    others: str = ""
    """A Lease that is held under another division of the Plans; empty when none is."""


def to_take(sight: Sight, me: str) -> list[int]:
    """Return the free ranges that this replica takes: its share, rounded up.

    It leaves what another needs to reach the share, rounded down. A replica that takes nothing is soon no member:
    a replica renews its membership where it takes ranges.
    """
    if sight.others:
        return []
    free = [index for index in range(sight.ranges) if index not in sight.holders]
    counts, low, high = _counts(sight, me)
    short = max(0, low - counts[me])
    needed = sum(max(0, low - count) for count in counts.values())
    extra = min(max(0, len(free) - needed), high - max(low, counts[me]))
    return free[: short + max(0, extra)]


def to_give(sight: Sight, me: str) -> int | None:
    """Return a range that this replica gives up because another has less than its share; None when it keeps all."""
    counts, low, high = _counts(sight, me)
    others_short = any(count < low for member, count in counts.items() if member != me)
    if len(sight.holders) < sight.ranges:
        return None  # what is free serves the others
    mine = [index for index, holder in sight.holders.items() if holder == me]
    return max(mine) if len(mine) > (low if others_short else high) else None


def _counts(sight: Sight, me: str) -> tuple[dict[str, int], int, int]:
    """Return how many ranges each replica has, and the share of each, rounded down and up."""
    holding = Counter(sight.holders.values())
    counts = {member: holding[member] for member in {me, *sight.members, *holding}}
    low, rest = divmod(sight.ranges, len(counts))
    return counts, low, low + bool(rest)
