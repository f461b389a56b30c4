"""How many calls of plan code are made at one moment. A `PlanHost` has `Places` for blocking and for async code."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from execloop.controller.plancode.errors import OutOfTime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

__all__ = ["Places"]

T = TypeVar("T")

_LATE = 0.005
"""Seconds by which a timer is late only where the loop has more to do than it can."""
_REMEMBERED = 100_000


class Places:
    """`count` of them. A call of over `hold` seconds gives its place up, and continues without one.

    On a loop that is late a call takes long because it waits for its turn, not for the world. There it keeps its place
    for up to `long` seconds, so that no more calls begin than can be served. `on_long` is called with the key of a call
    that gives its place up so. With `remembers` a key whose call took over `long` seconds needs no place the next time.
    """

    def __init__(
        self, count: int, hold: float, long: float, on_long: Callable[[Hashable], None], *, remembers: bool = False
    ) -> None:
        self.waiting = 0
        """Calls that wait for a place."""
        self._free = asyncio.Semaphore(count)
        self._hold, self._long = hold, long
        self._on_long, self._remembers = on_long, remembers
        self._known: set[Hashable] = set()
        """Keys whose last call took long."""

    async def call(self, key: Hashable, call: Callable[[], Awaitable[T]], within: float | None) -> T:
        """Await a call in a place. Raises OutOfTime after `within` seconds, not counting the wait for the place."""
        known = key in self._known
        place = None if known else await self._take(partial(self._on_long, key))
        loop = asyncio.get_running_loop()
        began = loop.time()
        if place is None:
            loop.call_soon(self._on_long, key)
        try:
            async with asyncio.timeout(within) as scope:
                return await call()
        except TimeoutError:
            if scope.expired():
                raise OutOfTime(f"not ended within {within:g} s") from None
            raise
        finally:
            if place is not None:
                place.give_up()
            if self._remembers:
                self._remember(key, long=loop.time() - began >= self._long)

    async def _take(self, on_long: Callable[[], None]) -> _Place:
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        return _Place(self._free, self._hold, self._long, on_long)

    def _remember(self, key: Hashable, *, long: bool) -> None:
        if not long:
            self._known.discard(key)
        elif len(self._known) < _REMEMBERED:
            self._known.add(key)


class _Place:
    def __init__(self, free: asyncio.Semaphore, hold: float, most: float, on_long: Callable[[], None]) -> None:
        self._free, self._hold, self._on_long = free, hold, on_long
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + most
        self._held = True
        self._wait()

    def give_up(self) -> None:
        self._timer.cancel()
        if self._held:
            self._held = False
            self._free.release()

    def _wait(self) -> None:
        self._due = self._loop.time() + self._hold
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        if now - self._due >= _LATE and now < self._until:
            self._wait()
        else:
            self.give_up()
            self._on_long()
