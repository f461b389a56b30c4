"""The work queue: each key at most once, due at a time, with one worker at most.

The operator adds keys; its workers take them, and put them back with the time of the next reconcile.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Priority", "WorkQueue"]

K = TypeVar("K", bound="Hashable")

_SLACK = 50
_AGED: Final = 8
"""Each so many keys one goes to work that has been due longest, whatever its priority: so none waits for ever."""


class Priority(IntEnum):
    """Who comes first of those that are due."""

    EDIT = 0
    """A person or a tool created or edited it, and waits."""
    WORK = 1
    """Its execution is under way, or something that it manages or refers to changed."""
    CHECK = 2
    """It is looked at because of its interval, a retry, or a list."""


class _Entry(NamedTuple):
    due: float
    priority: int
    number: int


class WorkQueue(Generic[K]):
    """Due keys come by priority (lower first), then by due time; each eighth is the one that has been due longest.

    Times are seconds of `clock`.

    Adding a key that waits keeps the earlier time and the better priority. One that is in work is due again once
    that work is done. `waited` learns for how long each key was due when its work begins.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, waited: Callable[[float], object] = lambda _seconds: None
    ) -> None:
        self._clock, self._waited = clock, waited
        self._entries: dict[K, _Entry] = {}
        self._waiting: list[tuple[float, int, K]] = []
        self._ready: dict[int, list[tuple[float, int, K]]] = {}
        self._pops = 0
        self._in_work: set[K] = set()
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, key: K, after: float = 0.0, priority: int = 0) -> None:
        due, number = self._clock() + max(after, 0.0), next(self._numbers)
        before = self._entries.get(key)
        if before is not None:
            if before.due <= due and before.priority <= priority:
                return
            due, priority = min(due, before.due), min(priority, before.priority)
        self._entries[key] = _Entry(due, priority, number)
        if key not in self._in_work:
            self._wait(key, due, number)

    def forget(self, key: K) -> None:
        """Take a key out, unless it is added again."""
        self._entries.pop(key, None)

    def pop(self, worst: int = Priority.CHECK) -> K | None:
        """A key that is due and of this priority or a better one, now in work; None when there is none."""
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            due, number, key = heapq.heappop(self._waiting)
            if self._stands(key, number):
                heapq.heappush(self._ready.setdefault(self._entries[key].priority, []), (due, number, key))
        lines = self._lines(worst)
        if not lines:
            return None
        self._pops += 1
        line = min(lines) if self._pops % _AGED == 0 else self._ready[min(self._ready)]
        due, _, key = heapq.heappop(line)
        self._waited(now - due)
        del self._entries[key]
        self._in_work.add(key)
        self._idle.clear()
        return key

    def done(self, key: K, after: float | None = None, priority: int = 0) -> None:
        """The work on a key has ended; it is due again after so long, or earlier if it was added meanwhile."""
        self._in_work.discard(key)
        if not self._in_work:
            self._idle.set()
        entry = self._entries.get(key)
        if entry is not None:
            self._wait(key, entry.due, entry.number)
        if after is not None:
            self.add(key, after, priority)

    def next_due(self, worst: int = Priority.CHECK) -> float | None:
        """Seconds until a key may be due that `pop` takes; None when nothing waits."""
        if self._lines(worst):
            return 0.0
        while self._waiting and not self._stands(self._waiting[0][2], self._waiting[0][1]):
            heapq.heappop(self._waiting)
        return max(0.0, self._waiting[0][0] - self._clock()) if self._waiting else None

    def depth(self) -> int:
        """Keys that are due, and not in work."""
        now = self._clock()
        return sum(entry.due <= now for key, entry in self._entries.items() if key not in self._in_work)

    def overdue(self) -> float:
        """Seconds that a key has been due for, the longest of all."""
        earliest = min((entry.due for key, entry in self._entries.items() if key not in self._in_work), default=None)
        return 0.0 if earliest is None else max(0.0, self._clock() - earliest)

    async def idle(self) -> None:
        """Until no key is in work."""
        await self._idle.wait()

    async def get(self, worst: int = Priority.CHECK) -> K:
        """Wait for what `pop` takes."""
        while (key := self.pop(worst)) is None:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), self.next_due(worst))
            except TimeoutError:
                continue
        if self._waiting or self._ready:
            self._changed.set()  # another worker may have slept through what came meanwhile
        return key

    def _lines(self, worst: int) -> list[list[tuple[float, int, K]]]:
        """Return what is due, a line for each priority up to `worst`, each begun by a key that stands."""
        for priority, line in tuple(self._ready.items()):
            while line and not self._stands(line[0][2], line[0][1]):
                heapq.heappop(line)
            if not line:
                del self._ready[priority]
        return [line for priority, line in self._ready.items() if priority <= worst]

    def _wait(self, key: K, due: float, number: int) -> None:
        if len(self._waiting) > 2 * len(self._entries) + _SLACK:
            self._waiting = [(e.due, e.number, k) for k, e in self._entries.items() if k not in self._in_work]
            heapq.heapify(self._waiting)
            self._ready.clear()  # what is due comes again from those that wait
        else:
            heapq.heappush(self._waiting, (due, number, key))
        self._changed.set()

    def _stands(self, key: K, number: int) -> bool:
        """Whether that entry of a heap is the key's latest: one that was replaced or forgotten stays in its heap."""
        entry = self._entries.get(key)
        return entry is not None and entry.number == number
