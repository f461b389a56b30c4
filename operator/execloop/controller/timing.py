"""Where time and chance come from; tests give their own."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Times"]


@dataclass(frozen=True, slots=True)
class Times:
    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    """Numbers from 0 to 1."""
