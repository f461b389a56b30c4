"""Time, injected: the engine never sleeps or reads a clock but through one of these."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from execloop._engine.runtime.alarms import Alarms
from execloop._engine.runtime.threads import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SYSTEM_CLOCK", "Clock", "SystemClock"]


class Clock(Protocol):
    """Seconds, all of them."""

    def now(self) -> float:
        """Seconds since the epoch: what is written down and read by another process."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump: what deadlines are measured with."""
        ...

    def sleep(self, seconds: float, wake: threading.Event) -> None:
        """Block for so long, or until `wake` is set."""
        ...

    async def asleep(self, seconds: float, wake: asyncio.Event) -> None:
        """The same for a task of an event loop."""
        ...

    def alarm(self, seconds: float, callback: Callable[[], None]) -> Callable[[], object]:
        """Call `callback` after so long, on any thread; the function returned calls it off."""
        ...

    def run_until(self, timeout: float, work: Callable[[], None], expire: Callable[[], None]) -> bool:
        """Do `work` while the caller waits at most `timeout`; then call `expire` and return False, waiting no more."""
        ...


_ALARMS: Final = Alarms()


class SystemClock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float, wake: threading.Event) -> None:
        wake.wait(min(seconds, threading.TIMEOUT_MAX))

    async def asleep(self, seconds: float, wake: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), seconds)

    def alarm(self, seconds: float, callback: Callable[[], None]) -> Callable[[], object]:
        return _ALARMS.set(seconds, callback)

    def run_until(self, timeout: float, work: Callable[[], None], expire: Callable[[], None]) -> bool:
        # A daemon thread: work that blocks for ever must not keep the process from exiting.
        done = threading.Event()

        def supervised() -> None:
            try:
                work()
            finally:
                done.set()

        in_time = False
        try:
            SHARED.start(supervised)
            in_time = done.wait(min(timeout, threading.TIMEOUT_MAX))
        finally:
            if not in_time:  # or Ctrl-C, which reaches the caller here
                expire()
        return in_time


SYSTEM_CLOCK: Final = SystemClock()
