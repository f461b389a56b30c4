"""One call of a Plan's code, and what descends from it: asyncio tasks and threads.

A ContextVar carries the call into each of them, so each is known to belong to its Plan, whatever it is called.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

__all__ = ["CALL", "Call"]


class Call:
    """It has ended once it is quiet: no thread of it runs, and no task of it can take a step.

    `changed` is called, from any thread, when something of it has ended.
    """

    def __init__(self, key: Hashable, changed: Callable[[Call], None]) -> None:
        self.key = key
        self.left = False
        """Its caller no longer waits for it."""
        self.cut = False
        """It is being cancelled."""
        self.frozen = False
        """Its tasks take no step: the loop that they are on was given up."""
        self.on_loop = False
        """Tasks of it may be left."""
        self.tasks: set[asyncio.Task[object]] = set()
        """Those that are left; only the thread of their loop reads them."""
        self.ending: asyncio.Future[None]
        """Done once its tasks are to be cancelled; belongs to their loop."""
        self.noted: Callable[[], None]
        """Takes the note of the call away."""
        self.moved = asyncio.Event()
        """Set when something of it has ended; belongs to the loop that waits for it."""
        self._changed = changed
        self._threads = 0
        self._lock = threading.Lock()

    @property
    def quiet(self) -> bool:
        return not self._threads and (self.frozen or not self.on_loop)

    def begin_thread(self) -> None:
        with self._lock:
            self._threads += 1

    def end_thread(self) -> None:
        with self._lock:
            self._threads -= 1
        if self.left:  # the caller that sets this looks again whether the call is quiet
            self._changed(self)

    @contextmanager
    def in_thread(self) -> Iterator[None]:
        self.begin_thread()
        try:
            yield
        finally:
            self.end_thread()

    def leave_loop(self) -> None:
        """The last of its tasks has ended."""
        self.on_loop = False
        self._changed(self)


CALL: ContextVar[Call | None] = ContextVar("CALL", default=None)
