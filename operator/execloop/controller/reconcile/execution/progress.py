"""The writes of progress while a run lasts. `Runs` makes one `ProgressWrites` for each run that it drives."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["ProgressWrites"]

_QUICK = 0.5
"""Seconds that a run has to end before its progress is written, though that is due: the end writes it too."""


class ProgressWrites:
    """Calls `write` at intervals until `end`: a run that ends soon costs a timer, and no task.

    `due` returns the seconds until the next write. The first error of the run brings that forward.
    """

    def __init__(self, due: Callable[[], float], write: Callable[[], Awaitable[object]]) -> None:
        self._due, self._write = due, write
        self._loop = asyncio.get_running_loop()
        self._failed = self._soon = self._ended = False
        self._writing: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(max(due(), _QUICK), self._begin)

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
        soon = self._loop.time() + _QUICK
        if not self._ended and self._timer.when() > soon:
            self._timer.cancel()
            self._timer = self._loop.call_at(soon, self._begin)

    def _begin(self) -> None:
        self._writing = asyncio.create_task(self._once())

    async def _once(self) -> None:
        self._soon = False
        await self._write()
        if not self._ended:
            self._timer = self._loop.call_later(_QUICK if self._soon else max(self._due(), _QUICK), self._begin)
