"""Where plan code runs: blocking code in daemon threads, async code on an event loop in a thread of its own.

So a plan that blocks holds up neither the watch of the API server nor the exit of the process.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from execloop.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable

__all__ = ["LoopGivenUp", "PlanCode", "TooManyBlocked"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_LONG_CALL = 5.0
_BEAT = 1.0


class LoopGivenUp(Exception):
    """Another plan blocked the event loop; the run starts again on a new one, uncounted."""


class TooManyBlocked(Exception):
    """As many threads as there may be are held by plans that block."""


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.beat = time.monotonic()
        self.calls: dict[Hashable, asyncio.Future[object]] = {}
        threading.Thread(target=self.loop.run_forever, name="plans-async", daemon=True).start()

    def touch(self) -> None:
        self.beat = time.monotonic()


class PlanCode:
    """`workers` bounds the calls at one moment. One that takes over 5 s gives its place up and keeps its thread.

    Use it from one event loop. `on_free` is called with a key whose blocked thread has returned at last.
    """

    def __init__(self, workers: int, max_threads: int, on_free: Callable[[Hashable], None] = lambda _key: None) -> None:
        self._places = asyncio.Semaphore(workers)
        self._max_threads = max_threads
        self._on_free = on_free
        self._threads = Threads("plans")
        self._held = 0
        self._loop: _Loop | None = None
        self.barred: set[Hashable] = set()
        """Keys whose plan code was left behind while it blocks: it must not run again until it has returned."""

    async def call(self, key: Hashable, function: Callable[[], T]) -> T:
        """A blocking call, with the plan's SystemExit and KeyboardInterrupt raised as they are.

        When the awaiting task is cancelled the key is barred until the thread has returned. Raises TooManyBlocked.
        """
        main = asyncio.get_running_loop()
        left = False

        def free() -> None:
            self._held -= 1
            if left:
                self.barred.discard(key)
                self._on_free(key)

        def work() -> T:
            try:
                return function()
            finally:
                try:
                    main.call_soon_threadsafe(free)
                except RuntimeError:  # the process is ending
                    logger.debug("%s returned after the end", key)

        async def in_thread() -> T:
            if self._held >= self._max_threads:
                raise TooManyBlocked(f"{self._held} threads are held by plans that block")
            self._held += 1
            return await self._threads.call(work)

        try:
            return await self._in_place(in_thread)
        except asyncio.CancelledError:
            left = True
            self.barred.add(key)
            raise

    async def on_loop(self, key: Hashable, make: Callable[[], Coroutine[object, object, T]]) -> T:
        """Async plan code on the loop in its own thread. Raises LoopGivenUp when another plan blocks that loop."""
        if self._loop is None:
            self._loop = _Loop()
        host = self._loop
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        host.calls[key] = outcome  # type: ignore[assignment]  # only ever failed through this table
        task = asyncio.run_coroutine_threadsafe(_named(str(key), make), host.loop)
        task.add_done_callback(lambda done: _relay(done, outcome))
        try:
            return await self._in_place(lambda: outcome)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            host.calls.pop(key, None)

    async def _in_place(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._places.acquire()
        held = True

        def give_up() -> None:
            nonlocal held
            if held:
                held = False
                self._places.release()

        timer = asyncio.get_running_loop().call_later(_LONG_CALL, give_up)
        try:
            return await call()
        finally:
            timer.cancel()
            give_up()

    async def watch(self) -> None:
        """Give an event loop up that has not turned for 5 s; runs until cancelled."""
        while True:
            await asyncio.sleep(_BEAT)
            host = self._loop
            if host is None:
                continue
            if time.monotonic() - host.beat < _LONG_CALL or not host.calls:
                if not host.calls:
                    host.touch()
                host.loop.call_soon_threadsafe(host.touch)
                continue
            self._give_up(host)

    def _give_up(self, host: _Loop) -> None:
        running = asyncio.current_task(host.loop)
        culprit = running.get_name() if running else "unknown"
        logger.error("the async code of Plan %s blocks its event loop; the others go on with a new one", culprit)
        self._loop = None
        main = asyncio.get_running_loop()
        for key, outcome in tuple(host.calls.items()):
            if str(key) == culprit:
                self.barred.add(key)
                host.loop.call_soon_threadsafe(self._unbar, main, host, key)
            if not outcome.done():
                outcome.set_exception(LoopGivenUp(culprit))

    def _unbar(self, main: asyncio.AbstractEventLoop, host: _Loop, key: Hashable) -> None:
        def free() -> None:
            self.barred.discard(key)
            self._on_free(key)

        main.call_soon_threadsafe(free)
        host.loop.stop()


async def _named(name: str, make: Callable[[], Coroutine[object, object, T]]) -> tuple[T | None, BaseException | None]:
    task = asyncio.current_task()
    assert task is not None
    task.set_name(name)
    try:
        return await make(), None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit must not end the loop; it is raised where it is awaited
        return None, error


def _relay(done: object, outcome: asyncio.Future[T]) -> None:
    """From the thread of the plans' loop to the loop that waits."""

    def settle() -> None:
        if outcome.done():
            return
        if done.cancelled():  # type: ignore[attr-defined]  # a concurrent.futures.Future
            outcome.cancel()
            return
        result, error = done.result()  # type: ignore[attr-defined]
        if error is None:
            outcome.set_result(result)
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            outcome.set_exception(error)
        else:
            outcome.set_exception(Escaped(error))

    outcome.get_loop().call_soon_threadsafe(settle)


class Escaped(Exception):
    """SystemExit or KeyboardInterrupt out of async plan code."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.__cause__ = cause
