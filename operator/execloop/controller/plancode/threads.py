"""The threads of all plan code: daemons, one pool, one limit, each known to belong to a call."""

from __future__ import annotations

import concurrent.futures
import threading
from collections import deque
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from execloop._engine.runtime.threads import Threads
from execloop.controller.plancode.call import CALL
from execloop.controller.plancode.errors import TooManyBlocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.plancode.call import Call

__all__ = ["Executor", "PlanThreads"]

T = TypeVar("T")


class _NoThread(Exception):
    """The system gives no more threads."""


class _Daemons(Threads):
    def start(self, work: Callable[[], None]) -> None:
        try:
            super().start(work)
        except RuntimeError as error:
            raise _NoThread(str(error)) from None


class PlanThreads(Threads):
    """`call` waits in line where the limit is reached, for what a call does besides; `call_at_once` never waits.

    `kept` threads are left for the latter, so that one Plan's parallel tasks do not keep all others from beginning.
    `on_free` is called, from any thread, when there is a free one and no line.
    """

    def __init__(self, limit: int, kept: int, on_free: Callable[[], None]) -> None:
        super().__init__("plans")
        self._daemons = _Daemons("plans")
        self._limit, self._besides, self._on_free = limit, max(1, limit - kept), on_free
        self._counts = threading.Lock()
        self._used = self._used_besides = 0
        self._line: deque[Callable[[], None]] = deque()

    async def call_at_once(self, call: Call, function: Callable[[], T]) -> T:
        """Raises TooManyBlocked."""
        with self._counts:
            if self._used >= self._limit:
                raise TooManyBlocked(f"{self._used} threads are held by plans that block")
            self._used += 1
        call.begin_thread()

        def work() -> T:
            CALL.set(call)  # in the thread's copy of the context
            try:
                return function()
            finally:
                self._end(besides=False)
                call.end_thread()

        try:
            return await self._daemons.call(work)
        except _NoThread as error:
            self._end(besides=False)
            call.end_thread()
            raise TooManyBlocked(str(error)) from None

    async def call(self, function: Callable[[], T]) -> T:
        """A call that is left while it waits in line is never made."""
        left = False

        def wanted() -> bool:
            return not left

        try:
            return await super().call(self.counted(function, wanted))
        finally:
            left = True

    def counted(self, function: Callable[[], T], wanted: Callable[[], bool]) -> Callable[[], T]:
        """For `start`: the function as a part of the call that is under way here, if it is still wanted then."""
        call = CALL.get()

        def work() -> T:
            try:
                with nullcontext() if call is None else call.in_thread():
                    if not wanted() or (call is not None and call.frozen):
                        raise concurrent.futures.CancelledError
                    return function()
            finally:
                self._end(besides=True)

        return work

    def start(self, work: Callable[[], None]) -> None:
        """Run what `counted` made, as soon as there is a thread for it."""
        with self._counts:
            self._line.append(work)
        self._serve_line()

    def _serve_line(self) -> None:
        with self._counts:
            free = self._used < self._limit and self._used_besides < self._besides
            work = self._line.popleft() if free and self._line else None
            if work is not None:
                self._used += 1
                self._used_besides += 1
        if work is not None:
            try:
                self._daemons.start(work)
            except _NoThread:
                with self._counts:
                    self._used -= 1
                    self._used_besides -= 1
                    self._line.appendleft(work)  # until another ends

    def _end(self, *, besides: bool) -> None:
        with self._counts:
            self._used -= 1
            self._used_besides -= besides
        self._serve_line()
        with self._counts:
            free = self._used < self._limit
        if free:
            self._on_free()


class Executor(concurrent.futures.ThreadPoolExecutor):
    """For `asyncio.to_thread` in plan code: the same threads, which are not joined at exit."""

    def __init__(self, threads: PlanThreads) -> None:
        super().__init__(1)
        self._plan_threads = threads

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        counted = self._plan_threads.counted(partial(fn, *args, **kwargs), future.set_running_or_notify_cancel)

        def work() -> None:
            try:
                result = counted()
            except BaseException as error:  # noqa: BLE001 - it is raised again where the future is awaited
                if not future.done():
                    future.set_exception(error)
            else:
                future.set_result(result)

        self._plan_threads.start(work)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the threads to themselves."""
