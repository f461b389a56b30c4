"""The writes of progress while a run lasts. `Runs` makes one `ProgressWrites` for each run that it drives."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["QUICK", "ProgressWrites"]

QUICK: Final = 0.5
"""Seconds that a run has to end before its progress is written, though that is due: the end writes it too."""
_NEAR = 0.01
"""Seconds to the next write that are not worth another timer."""


class ProgressWrites:
    """Calls `write` at intervals until `end`: a run that ends soon costs a timer, and no task.

    `due` returns the seconds until the next write. The first error of the run brings that forward.
    """

    def __init__(self, due: Callable[[], float], write: Callable[[], Awaitable[object]]) -> None:
        self._due, self._write = due, write
        self._loop = asyncio.get_running_loop()
        self._failed = self._soon = self._ended = False
        self._writing: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(QUICK, self._look)

    def failed(self) -> None:
        """Note an error of the run, from any thread."""
        if self._failed:
            return
        self._failed = True
        with suppress(RuntimeError):  # the process ends
            self._loop.call_soon_threadsafe(self._bring_forward)

    async def end(self) -> None:
        """Write nothing more, once the write that is on its way has ended. Raises what that raised."""
        self._ended = True
        self._timer.cancel()
        if self._writing is not None:
            await self._writing

    def cancel(self) -> None:
        """Write nothing more, and leave the write that is on its way."""
        self._ended = True
        self._timer.cancel()
        if self._writing is not None:
            self._writing.cancel()

    def _bring_forward(self) -> None:
        self._soon = True
        if not self._ended and self._timer.when() > self._loop.time() + QUICK:
            self._timer.cancel()
            self._timer = self._loop.call_later(QUICK, self._look)

    def _look(self) -> None:
        wait = 0.0 if self._soon else self._due()
        if wait > _NEAR:
            self._timer = self._loop.call_later(max(wait, QUICK), self._look)
        else:
            self._writing = asyncio.create_task(self._once())

    async def _once(self) -> None:
        self._soon = False
        await self._write()
        if not self._ended:
            self._timer = self._loop.call_later(QUICK, self._look)
