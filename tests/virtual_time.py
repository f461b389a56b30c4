"""An event loop on a fake clock: it never waits, and the order of what happens depends on nothing but the code."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

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

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        super().__init__(_VirtualSelector(clock))

    def time(self) -> float:
        return self._clock.now()


def run_virtually(clock: FakeClock, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main())
