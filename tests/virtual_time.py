"""An event loop on a fake clock: it never waits, and the order of what happens depends on nothing but the code."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Coroutine
    from random import Random

    from execloop.testing import FakeClock

T = TypeVar("T")


class _VirtualSelector(selectors.SelectSelector):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if ready := super().select(0):
            return ready
        steps = [] if timeout is None else [timeout]
        if alarms := self._clock._alarms:
            steps.append(alarms[0][0] - self._clock.now())
        if not steps:
            raise AssertionError("nothing will ever happen: every task waits, and no time is running")
        self._clock.advance(min(steps))
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Knows no other threads: code that waits for one would wait for ever."""

    def __init__(self, clock: FakeClock, shuffle: Random | None = None) -> None:
        self._clock, self._shuffle = clock, shuffle
        super().__init__(_VirtualSelector(clock))

    def time(self) -> float:
        return self._clock.now()

    def _run_once(self) -> None:
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]  # what the loop is about to call
        if self._shuffle:
            self._shuffle.shuffle(ready)
        super()._run_once()  # type: ignore[misc]  # as above


def run_virtually(clock: FakeClock, main: Callable[[], Coroutine[Any, Any, T]], shuffle: Random | None = None) -> T:
    """With `shuffle`, what is ready at one moment happens in an order that asyncio does not promise, but may have."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, shuffle)) as runner:
        return runner.run(main())
