"""The turns of suspects: the Plans that may have ended the last process run after the others, one at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.plancode.crashes.suspects import Suspects
    from execloop.controller.watch.workqueue import WorkQueue

__all__ = ["take_turns"]

_LOOK = 0.1


async def take_turns(suspects: Suspects, queue: WorkQueue[Any], busy: Callable[[], object]) -> None:
    """Put the key of each suspect whose turn it is into the queue; runs until cancelled."""
    while True:
        await asyncio.sleep(_LOOK)
        key = suspects.next(busy=suspects.waits and bool(busy()))
        if key is not None:
            queue.add(key)
