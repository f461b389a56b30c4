"""Python set for an operator: its event loop, and how often it looks for garbage.

Figures are of a backlog of 1,000 Plans without work (`make bench-operator`), as a share of the process's CPU time.
"""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["collect_seldom", "loop_factory"]

_ALLOCATIONS = 10_000


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Where it is installed, as it is with the extra `operator` but on Windows, uvloop: 18% less."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def collect_seldom() -> None:
    """By default each 700 new objects call for a look at the young ones, and that took 16%; so it takes 5%."""
    gc.set_threshold(_ALLOCATIONS)
