"""How long to wait: pure arithmetic, with its chance given from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["backoff", "jittered"]

_JITTER = 0.1


def jittered(seconds: float, chance: Callable[[], float]) -> float:
    """±10%, so that what began together does not come back together; `chance` gives numbers from 0 to 1."""
    return seconds * (1 + _JITTER * (2 * chance() - 1))


def backoff(initial: float, most: float, failures: int, chance: Callable[[], float]) -> float:
    """Seconds after so many consecutive failures: min(most, initial * 2^(failures-1)) ±10%."""
    return jittered(min(most, initial * 2.0 ** min(failures - 1, 60)), chance)
