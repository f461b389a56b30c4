"""The executions that this process has run lately, of many Plans: bounded, in memory, and gone with the process."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from execloop._engine.execution import CreateFailed
from execloop.page.runs.record import Bounds, Record
from execloop.page.runs.texts import Redacted

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from execloop._engine.events import Event
    from execloop._engine.execution import Outcome
    from execloop.page.runs.picture import Picture
    from execloop.page.runs.texts import Redactor

__all__ = ["Executed", "Recent"]

logger = logging.getLogger(__name__)

_BOUNDS: Final = Bounds(runs=40, trees=3, tasks=100, errors=20)
_MOST_PLANS: Final = 500
_MOST_BYTES: Final = 32 * 1024 * 1024


class Executed(NamedTuple):
    """An execution of a Plan, as far as this process has run it."""

    execution: str
    """Its id."""
    picture: Picture


@dataclass(slots=True, eq=False)
class _Plan:
    version: int = 0
    records: dict[str, Record] = field(default_factory=dict)
    """By the ids of the last two executions, the newer last."""
    size: int = 0


class Recent:
    """What the page shows of tasks. Plans are known by their uid: one that is made again under its name is another.

    The reconciler calls `listener`, `ended` and `forget`, in whatever thread. None of them raises, and what they keep
    went through the redactor of the run before.
    """

    def __init__(self, monotonic: Callable[[], float], now: Callable[[], datetime], most: int = _MOST_PLANS) -> None:
        self.most = most
        self._monotonic, self._now = monotonic, now
        self._lock = threading.Lock()
        self._plans: OrderedDict[str, _Plan] = OrderedDict()
        self._size = 0
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._plans)

    @property
    def size(self) -> int:
        """Return about how many bytes it keeps of runs that are over."""
        return self._size

    def listener(self, uid: str, execution: str, redactor: Redactor) -> Callable[[Event], None]:
        """Return what takes the events of one run."""
        listen: Callable[[Event], None] | None = None
        lost = False

        def take(event: Event) -> None:
            nonlocal listen, lost
            if lost:
                return
            try:
                if listen is None:
                    listen = self._record(uid, execution).listener(Redacted(redactor))
                listen(event)
            except Exception as error:  # noqa: BLE001 - the page must not cost a Plan its run
                lost = True
                _say(error)

        return take

    def ended(self, uid: str, execution: str, redactor: Redactor, outcome: Outcome) -> None:
        """Take how a run ended, or that `create()` raised an error."""
        try:
            record = self._record(uid, execution)
            if isinstance(outcome, CreateFailed):
                record.failed(Redacted(redactor), "create()", outcome.error)
            record.close()
            self._weigh(uid)
        except Exception as error:  # noqa: BLE001 - as above
            _say(error)

    def forget(self, uid: str) -> None:
        """The Plan is gone, or another replica's."""
        with self._lock:
            if (gone := self._plans.pop(uid, None)) is not None:
                self._size -= gone.size

    def of(self, uid: str) -> tuple[Executed, ...]:
        """Return the last two executions, the newer first."""
        with self._lock:
            found = self._plans.get(uid)
            records = [] if found is None else [*found.records.items()]
        return tuple(Executed(execution, record.picture()) for execution, record in reversed(records))

    def version(self, uid: str) -> int:
        """Return a number that is another one when something of the Plan has changed."""
        found = self._plans.get(uid)
        return 0 if found is None else found.version

    async def newer(self, uid: str, version: int) -> None:
        """Return when the version of a Plan is another one."""
        self._loop, event = asyncio.get_running_loop(), asyncio.Event()
        self._waiting.setdefault(uid, set()).add(event)
        try:
            if self.version(uid) == version:
                await event.wait()
        finally:
            self._waiting[uid].discard(event)
            if not self._waiting[uid]:
                del self._waiting[uid]

    def _record(self, uid: str, execution: str) -> Record:
        with self._lock:
            plan = self._plans.setdefault(uid, _Plan())
            self._plans.move_to_end(uid)
            if (record := plan.records.get(execution)) is None:
                record = Record(execution, self._monotonic, self._now, _BOUNDS)
                record.changed = lambda: self._changed(uid, plan)
                for before in plan.records.values():
                    before.shorten()
                plan.records = {**dict([*plan.records.items()][-1:]), execution: record}
            return record

    def _weigh(self, uid: str) -> None:
        """Forget the Plans that ran the longest time ago until the others fit."""
        with self._lock:
            if (plan := self._plans.get(uid)) is None:
                return
            size = sum(record.size for record in plan.records.values())
            self._size, plan.size = self._size + size - plan.size, size
            while len(self._plans) > self.most or (self._size > _MOST_BYTES and len(self._plans) > 1):
                self._size -= self._plans.popitem(last=False)[1].size

    def _changed(self, uid: str, plan: _Plan) -> None:
        plan.version += 1
        if uid in self._waiting and self._loop is not None:
            with suppress(RuntimeError):  # the process ends
                self._loop.call_soon_threadsafe(self._wake, uid)

    def _wake(self, uid: str) -> None:
        for event in self._waiting.get(uid, ()):
            event.set()


def _say(error: Exception) -> None:
    """Log what kind of error it is; its text may hold a name that was not redacted."""
    logger.error("the page has lost track of a run: an error of the operator: %s", type(error).__name__)
