"""Time that moves when the engine sleeps, or when a test advances it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FakeClock"]


class FakeClock:
    """An `Clock`: sleeping advances it at once, and so does a task that calls `advance`.

    A deadline is an alarm: it falls during `advance`, on the thread that advances.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.sleeps: list[float] = []
        """The seconds of each sleep that was asked for, in order."""
        self._now = float(start)
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._lock = threading.RLock()

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Return the same seconds: this clock is never set."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time on; each alarm on the way is called at its own moment, in order."""
        self._advance(seconds, lambda: False)

    def alarm(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once time has moved so far; the function returned calls it off."""
        if seconds < 0:
            raise ValueError(f"an alarm cannot be {-seconds:g} seconds ago")
        entry = (self._now + seconds, next(self._order), callback)
        with self._lock:
            heapq.heappush(self._alarms, entry)

        def call_off() -> None:
            with self._lock:
                if entry in self._alarms:
                    self._alarms.remove(entry)
                    heapq.heapify(self._alarms)

        return call_off

    def sleep(self, seconds: float, wake: threading.Event) -> None:
        """Move time on by so many seconds, or until `wake` is set; note it in `sleeps`."""
        self.sleeps.append(seconds)
        self._advance(seconds, wake.is_set)

    async def asleep(self, seconds: float, wake: asyncio.Event) -> None:
        """Do the same, after others had a turn."""
        self.sleeps.append(seconds)
        await asyncio.sleep(0)  # others may have something to do, such as to set `wake`
        self._advance(seconds, wake.is_set)

    def run_until(self, timeout: float, work: Callable[[], None], expire: Callable[[], None]) -> bool:
        """Do `work` on this thread. False when the deadline fell meanwhile, though `work` has then ended too."""
        expired = False

        def fall() -> None:
            nonlocal expired
            expired = True
            expire()

        call_off = self.alarm(timeout, fall)
        try:
            work()
        finally:
            call_off()
        return not expired

    def _advance(self, seconds: float, woken: Callable[[], bool]) -> None:
        if seconds < 0:
            raise ValueError(f"time does not go back: advance({seconds:g})")
        with self._lock:
            target = self._now + seconds
            while not woken() and self._alarms and self._alarms[0][0] <= target:
                moment, _, callback = heapq.heappop(self._alarms)
                self._now = max(self._now, moment)
                callback()
            if not woken():
                self._now = max(self._now, target)
