"""Python set for an operator: its event loop, and how often it looks for garbage."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["collect_seldom", "loop_factory"]

_ALLOCATIONS = 10_000


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Where it is installed, as it is with the extra `operator` but on Windows, uvloop.

    With it a request takes 270 µs of CPU instead of 310, a call in a thread 33 instead of 56.
    """
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def collect_seldom() -> None:
    """By default 700 new objects call for a collection: 16% of the CPU time of a backlog of 1,000 Plans, so 5%."""
    gc.set_threshold(_ALLOCATIONS)
