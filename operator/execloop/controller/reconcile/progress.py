"""When progress is written: 2 s after an execution began, then at gaps that double up to 30 s."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ProgressInterval"]


class ProgressInterval:
    FIRST: ClassVar = 2.0
    LONGEST: ClassVar = 30.0

    def __init__(self, started: float, now: Callable[[], float]) -> None:
        self._started, self._now, self._gap = started, now, self.FIRST

    def next(self) -> float:
        """Seconds to the next write; counts it as done."""
        age = max(0.0, self._now() - self._started)
        if age < self.FIRST:
            return self.FIRST - age
        gap, self._gap = self._gap, min(2 * self._gap, self.LONGEST)
        return gap
