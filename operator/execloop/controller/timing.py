"""Time and chance, and the pure arithmetic of waiting; tests bring their own clocks."""

from __future__ import annotations

import random
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FIRST_PROGRESS", "LONGEST_GAP", "Timeline", "Times", "backoff", "jittered", "next_gap", "to_its_place"]

_JITTER = 0.1
_CREDIBLE = 7200.0

FIRST_PROGRESS: Final = 2.0
"""Seconds after which an execution that has not ended is written."""
LONGEST_GAP: Final = 30.0
"""Seconds between two writes of progress, at most."""


@dataclass(frozen=True, slots=True)
class Times:
    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    """Numbers from 0 to 1."""


class Timeline:
    """Seconds since the epoch that neither jump nor run backwards: the wall clock is read once.

    A step of the wall clock then ends no execution and delays none. `not_before` is the newest moment that was written
    down; one more than two hours ahead of the wall clock is not credible and does not count.
    """

    __slots__ = ("_monotonic", "_offset")

    def __init__(self, times: Times, not_before: float = 0.0) -> None:
        self._monotonic = times.monotonic
        wall = times.now()
        start = max(wall, not_before) if not_before - wall <= _CREDIBLE else wall
        self._offset = start - times.monotonic()

    def now(self) -> float:
        return self._monotonic() + self._offset


def jittered(seconds: float, chance: Callable[[], float]) -> float:
    """Return it with ±10 %, so that what began together does not return together."""
    return seconds * (1 + _JITTER * (2 * chance() - 1))


def to_its_place(uid: str, interval: float, now: float) -> float:
    """Return the seconds to the next moment of a Plan in its interval, from 0.1 to 1.1 times as long as that is.

    Each uid has a place in the interval, so Plans that began together are soon observed evenly, also after a restart.
    Once it is at its place, a Plan is observed at each interval.

    >>> round(to_its_place("a", 100.0, now=0.0), 1), round(to_its_place("a", 100.0, now=90.9), 1)
    (90.9, 100.0)
    """
    place = zlib.crc32(uid.encode()) / 2**32 * interval  # another hash than that of ranges: a replica has all places
    least = _JITTER * interval
    return least + (place - now - least) % interval


def backoff(initial: float, most: float, failures: int, chance: Callable[[], float]) -> float:
    """Return the seconds after so many consecutive failures: min(most, initial * 2^(failures-1)) ±10 %."""
    return jittered(min(most, initial * 2.0 ** min(failures - 1, 60)), chance)


def next_gap(gap: float) -> float:
    """Return the seconds to the next write of progress after a gap: they double from 2 s up to 30 s."""
    return min(2 * gap, LONGEST_GAP) if gap else FIRST_PROGRESS
