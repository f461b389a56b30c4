"""Processes that can be killed, in one real one: their tasks, their threads, their wall clocks.

A thread is a strand: one runs at a time, the event loop waits meanwhile, and what sleeps in one lets the others go on.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Died", "Process", "Strands", "current", "pause", "task_factory", "use_loop"]

FAULT = "an error of the operator"
EPOCH = 1_790_000_000.0


class Died(BaseException):
    """Raised in what is left of a process that was killed: nothing it does counts any more."""


class Process:
    """Lives from `run` until its main ends or it is killed."""

    def __init__(self, name: str, offset: float = 0.0) -> None:
        self.name = name
        self.alive = True
        self.offset = offset
        """Seconds that its wall clock is ahead of the true one."""
        self.tasks: dict[SimulatedTask, None] = {}
        self.strands: dict[_Strand, None] = {}
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def run(self, main: Callable[[], Coroutine[Any, Any, str]]) -> None:
        async def live() -> None:
            try:
                why = await main()
            except Exception as error:
                why = f"{FAULT}: {error!r}"
                if self.alive:
                    self.kill(why)
                raise
            if self.alive:
                self.kill(why)

        context = copy_context()
        context.run(_current.set, self)
        asyncio.get_running_loop().create_task(live(), context=context)

    def kill(self, why: str) -> None:
        """What is under way ends; whatever its cleaning up still asks for reaches nobody."""
        if not self.alive:
            return
        self.alive = False
        for task in tuple(self.tasks):
            task.cancel()
        for strand in tuple(self.strands):
            strand.kill()
        if not self.ended.done():
            self.ended.set_result(why)

    def check(self) -> None:
        if not self.alive:
            raise Died(self.name)


_current: ContextVar[Process | None] = ContextVar("process", default=None)


def current() -> Process | None:
    """The process that the running code belongs to; None for the rest of the world."""
    return _current.get()


def task_factory() -> Any:
    """Makes the tasks of one life."""
    numbers = itertools.count()
    return lambda loop, coro, context=None: SimulatedTask(next(numbers), coro, loop=loop, context=context)


class SimulatedTask(asyncio.Task[Any]):
    """Hashed by its number, so that sets of tasks have one order in each replay."""

    def __init__(self, number: int, coro: Any, *, loop: Any, context: Any) -> None:
        self.number = number
        super().__init__(coro, loop=loop, context=context)
        process = context.get(_current) if context is not None else current()
        if process is not None:
            process.tasks[self] = None
            self.add_done_callback(lambda task: process.tasks.pop(task, None))
            if not process.alive:
                self.cancel()

    def __hash__(self) -> int:
        return self.number


class _Strand:
    """A thread that runs only while the event loop waits for it."""

    def __init__(self, pool: list[_Strand]) -> None:
        self._pool = pool
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._work: Callable[[], None] | None = None
        self._process: Process | None = None
        self.killed = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def begin(self, work: Callable[[], None], process: Process | None) -> None:
        self._work, self._process, self.killed = work, process, False
        if process is not None:
            process.strands[self] = None
        self.resume()

    def resume(self) -> None:
        """From the loop: run until it sleeps or ends."""
        self._go.release()
        self._back.acquire()

    def kill(self) -> None:
        self.killed = True
        self.resume()

    def sleep(self, seconds: float) -> None:
        """From the strand."""
        wake = _loop().call_later(seconds, self.resume)
        self._back.release()
        self._go.acquire()
        if self.killed:
            wake.cancel()
            raise Died("its process")

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            _strand.at = self
            assert self._work is not None
            self._work()
            if self._process is not None:
                self._process.strands.pop(self, None)
            self._work = self._process = None
            self._pool.append(self)
            self._back.release()


_strand = threading.local()
_loops: list[asyncio.AbstractEventLoop] = []


def _loop() -> asyncio.AbstractEventLoop:
    return _loops[-1]


def use_loop(loop: asyncio.AbstractEventLoop) -> None:
    """The loop that strands wait on."""
    _loops[:] = [loop]


def pause(seconds: float) -> None:
    """Block for so long: plan code's `time.sleep`, in a strand."""
    _strand.at.sleep(seconds)


class Strands:
    """In place of the engine's `Threads.start`."""

    _pool: ClassVar[list[_Strand]] = []

    @classmethod
    def start(cls, work: Callable[[], None]) -> None:
        process = current()

        def begin() -> None:
            if process is None or process.alive:
                (cls._pool.pop() if cls._pool else _Strand(cls._pool)).begin(work, process)

        _loop().call_soon(begin)
