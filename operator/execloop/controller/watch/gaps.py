"""When to pass on the next change of an object: at once, unless the object changes again and again.

`drift` asks it for each change of what a Plan manages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Gaps"]

_FIRST, _LONGEST = 2.0, 120.0
_QUIET = 60.0
_MANY = 1000


class _Gap(NamedTuple):
    passed_on: float
    """When a change was passed on last, or will be."""
    least: float
    """Seconds until the next may be."""


class Gaps:
    """The gaps between changes of one thing double from 2 s to 2 minutes, until nothing happened for a while.

    So two controllers that undo each other's work do not run at full speed, and the first change counts at once.
    """

    def __init__(self) -> None:
        self._gaps: dict[Hashable, _Gap] = {}
        self._many = _MANY

    def wait(self, thing: Hashable, now: float) -> float | None:
        """Seconds until a change is to be passed on; None when one that is yet to be passed on covers it."""
        gap = self._gaps.get(thing)
        if gap is None or _is_over(gap, now):
            self._prune(now)
            self._gaps[thing] = _Gap(now, _FIRST)
            return 0.0
        if now < gap.passed_on:
            return None
        wait = max(0.0, gap.passed_on + gap.least - now)
        self._gaps[thing] = _Gap(now + wait, min(2 * gap.least, _LONGEST))
        return wait

    def _prune(self, now: float) -> None:
        if len(self._gaps) >= self._many:
            self._gaps = {thing: gap for thing, gap in self._gaps.items() if not _is_over(gap, now)}
            self._many = max(_MANY, 2 * len(self._gaps))  # so each is looked at twice on average, however many last


def _is_over(gap: _Gap, now: float) -> bool:
    return now - gap.passed_on > gap.least + _QUIET
