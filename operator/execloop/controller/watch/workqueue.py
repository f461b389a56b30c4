"""The work queue: each key at most once, due at a time, with one worker at most.

The operator adds keys; its workers take them, and put them back with the time of the next reconcile.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

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
        self._waiting: dict[int, list[tuple[float, int, K]]] = {}
        """Heaps by priority, as `_ready`, of what is not due yet."""
        self._ready: dict[int, list[tuple[float, int, K]]] = {}
        self._pops = 0
        self._in_work: set[K] = set()
        self._numbers = itertools.count()
        self._changed: dict[int, asyncio.Event] = {}
        """By the worst priority that is waited for."""
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
            self._wait(key, self._entries[key])

    def forget(self, key: K) -> None:
        """Take a key out, unless it is added again."""
        self._entries.pop(key, None)

    def pop(self, worst: int = Priority.CHECK) -> K | None:
        """A key that is due and of this priority or a better one, now in work; None when there is none."""
        now = self._clock()
        for priority, waiting in self._waiting.items():
            while waiting and waiting[0][0] <= now:
                due, number, key = heapq.heappop(waiting)
                if self._stands(key, number):
                    heapq.heappush(self._ready.setdefault(priority, []), (due, number, key))
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
            self._wait(key, entry)
        if after is not None:
            self.add(key, after, priority)

    def next_due(self, worst: int = Priority.CHECK) -> float | None:
        """Seconds until `pop` may find a key; None when none of these priorities waits."""
        if self._lines(worst):
            return 0.0
        dues = [due for priority, due in self._soonest() if priority <= worst]
        return max(0.0, min(dues) - self._clock()) if dues else None

    def depth(self) -> int:
        """Keys that are due, and not in work."""
        now = self._clock()
        ready = sum(self._stands(key, number) for line in self._ready.values() for _, number, key in line)
        return ready + sum(self._due_in(waiting, now) for waiting in self._waiting.values())

    def _due_in(self, waiting: list[tuple[float, int, K]], now: float) -> int:
        """Count what is due in a heap without looking at the rest of it."""
        count, places = 0, [0]
        while places:
            place = places.pop()
            if place < len(waiting) and waiting[place][0] <= now:
                count += self._stands(waiting[place][2], waiting[place][1])
                places += (2 * place + 1, 2 * place + 2)
        return count

    def overdue(self) -> float:
        """Seconds that a key has been due for, the longest of all."""
        dues = [line[0][0] for line in self._lines()] + [due for _, due in self._soonest()]
        return max(0.0, self._clock() - min(dues)) if dues else 0.0

    def _soonest(self) -> Iterator[tuple[int, float]]:
        """Yield each priority of which a key waits that is not ready yet, and when the first of them is due."""
        for priority, waiting in self._waiting.items():
            while waiting and not self._stands(waiting[0][2], waiting[0][1]):
                heapq.heappop(waiting)
            if waiting:
                yield priority, waiting[0][0]

    async def idle(self) -> None:
        """Until no key is in work."""
        await self._idle.wait()

    async def get(self, worst: int = Priority.CHECK) -> K:
        """Wait for what `pop` takes."""
        changed = self._changed.setdefault(worst, asyncio.Event())
        while (key := self.pop(worst)) is None:
            changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.next_due(worst)):
                    await changed.wait()
        if self._ready or any(self._waiting.values()):
            changed.set()  # another worker may have slept through what came meanwhile
        return key

    def _lines(self, worst: int | None = None) -> list[list[tuple[float, int, K]]]:
        """Return what is due, a line for each priority, or each up to `worst`, each begun by a key that stands."""
        for priority, line in tuple(self._ready.items()):
            while line and not self._stands(line[0][2], line[0][1]):
                heapq.heappop(line)
            if not line:
                del self._ready[priority]
        return [line for priority, line in self._ready.items() if worst is None or priority <= worst]

    def _wait(self, key: K, entry: _Entry) -> None:
        if sum(map(len, self._waiting.values())) > 2 * len(self._entries) + _SLACK:
            self._waiting.clear()
            self._ready.clear()  # what is due comes again from those that wait
            for other, its in self._entries.items():
                if other not in self._in_work:
                    self._waiting.setdefault(its.priority, []).append((its.due, its.number, other))
            for waiting in self._waiting.values():
                heapq.heapify(waiting)
        else:
            heapq.heappush(self._waiting.setdefault(entry.priority, []), (entry.due, entry.number, key))
        for worst, changed in self._changed.items():
            if entry.priority <= worst:
                changed.set()

    def _stands(self, key: K, number: int) -> bool:
        """Whether that entry of a heap is the key's latest: one that was replaced or forgotten stays in its heap."""
        entry = self._entries.get(key)
        return entry is not None and entry.number == number
