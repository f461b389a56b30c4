"""Daemon threads for blocking calls, made when needed and used again.

Not concurrent.futures: its threads are joined at exit, so one blocked call would keep the process alive.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
import weakref
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SHARED", "Threads"]

T = TypeVar("T")

_IDLE_SECONDS = 10.0


class Threads:
    """As many daemon threads as there are calls at one moment; an idle one ends after ten seconds."""

    def __init__(self, name: str = "execloop") -> None:
        self._name = name
        self._forget()
        _instances.add(self)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[Callable[[], None]]] = []

    def start(self, work: Callable[[], None]) -> None:
        """Run `work`, which must not raise, in some thread; returns at once."""
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = queue.SimpleQueue()
            threading.Thread(target=self._serve, args=(inbox,), name=self._name, daemon=True).start()
        inbox.put(work)

    def _serve(self, inbox: queue.SimpleQueue[Callable[[], None]]) -> None:
        work: Callable[[], None] | None = inbox.get()
        while True:
            assert work is not None
            work()
            work = None  # an idle thread must not keep the last call's objects alive
            with self._lock:
                self._idle.append(inbox)
            try:
                work = inbox.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                work = inbox.get()  # `start` took this inbox between the two: the work is on its way

    async def call(self, function: Callable[[], T]) -> T:
        """Await a blocking call. When the awaiting task is cancelled, it continues, and its result is dropped."""
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()
        context = contextvars.copy_context()

        def settle(outcome: tuple[T | None, BaseException | None]) -> None:
            if not settled.done():
                settled.set_result(outcome)

        def work() -> None:
            # A pair, not set_exception: a future refuses StopIteration, and re-raises SystemExit into the loop.
            outcome: tuple[T | None, BaseException | None]
            try:
                outcome = context.run(function), None
            except BaseException as error:  # noqa: BLE001 - it is raised again where the call is awaited
                outcome = None, error
            try:
                loop.call_soon_threadsafe(settle, outcome)
            except RuntimeError:  # the loop was closed meanwhile: nothing waits any more
                return

        self.start(work)
        result, error = await settled
        if error is not None:
            try:
                raise error
            finally:
                del error  # no reference cycle through the traceback
        return result  # type: ignore[return-value]  # the error is None, so this is the function's own result


_instances: weakref.WeakSet[Threads] = weakref.WeakSet()


def _after_fork() -> None:
    """A child process has none of its parent's threads."""
    for threads in _instances:
        threads._forget()  # noqa: SLF001 - this module's own class


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

SHARED: Final = Threads()
