"""Where plan code runs: blocking code in daemon threads, async code on an event loop in a thread of its own.

So a plan that blocks holds up neither the watch of the API server nor the exit of the process.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from execloop._engine.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable

__all__ = ["LoopGivenUp", "PlanHost", "TooManyBlocked"]

T = TypeVar("T")

logger = logging.getLogger(__name__)


class LoopGivenUp(Exception):
    """Another plan blocked the event loop; the run starts again on a new one, uncounted."""


class TooManyBlocked(Exception):
    """As many threads as there may be are held by plans that block."""


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.loop = self._runner.get_loop()
        self.beat = time.monotonic()
        self.calls: dict[Hashable, asyncio.Future[object]] = {}
        self._ended = asyncio.Event()
        threading.Thread(target=self._turn, name="plans-async", daemon=True).start()

    def _turn(self) -> None:
        with self._runner:
            while not self._ended.is_set():
                # What a task that plan code started raises goes to whoever awaits it, and through the loop besides.
                with suppress(SystemExit, KeyboardInterrupt):
                    self._runner.run(self._ended.wait())

    def touch(self) -> None:
        self.beat = time.monotonic()

    def end(self) -> None:
        """Cancel what is left and close the loop; call it there."""
        self._ended.set()


class PlanHost:
    """`workers` bounds the calls at one moment. One of over `long_call` seconds gives its place up, not its thread.

    Use it from one event loop. `on_free` is called with a key whose blocked thread has returned at last. `beat`:
    seconds between two looks at the plans' event loop, which is given up when it has not turned for `long_call`.
    """

    def __init__(
        self,
        workers: int,
        max_threads: int,
        on_free: Callable[[Hashable], None] = lambda _key: None,
        *,
        long_call: float = 5.0,
        beat: float = 1.0,
    ) -> None:
        self._places = asyncio.Semaphore(workers)
        self._max_threads = max_threads
        self._on_free = on_free
        self._long_call, self._beat = long_call, beat
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
        runs = left = False

        def free() -> None:
            nonlocal runs
            runs = False
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
            nonlocal runs
            if self._held >= self._max_threads:
                raise TooManyBlocked(f"{self._held} threads are held by plans that block")
            self._held += 1
            runs = True
            return await self._threads.call(work)

        try:
            return await self._in_place(in_thread)
        except asyncio.CancelledError:
            if runs:
                left = True
                self.barred.add(key)
            raise

    async def on_loop(self, key: Hashable, make: Callable[[], Coroutine[object, object, T]]) -> T:
        """Async plan code on the loop in its own thread. Raises LoopGivenUp when another plan blocks that loop."""

        async def hosted() -> T:
            host = self._loop = self._loop or _Loop()
            outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            host.calls[key] = outcome  # type: ignore[assignment]  # only ever failed through this table
            task = asyncio.run_coroutine_threadsafe(_named(str(key), make), host.loop)
            task.add_done_callback(lambda done: _relay(done, outcome))
            try:
                return await outcome
            except asyncio.CancelledError:
                task.cancel()
                raise
            finally:
                host.calls.pop(key, None)

        return await self._in_place(hosted)

    async def _in_place(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._places.acquire()
        held = True

        def give_up() -> None:
            nonlocal held
            if held:
                held = False
                self._places.release()

        timer = asyncio.get_running_loop().call_later(self._long_call, give_up)
        try:
            return await call()
        finally:
            timer.cancel()
            give_up()

    async def watch(self) -> None:
        """Give an event loop up that does not turn; runs until cancelled."""
        while True:
            await asyncio.sleep(self._beat)
            host = self._loop
            if host is None:
                continue
            if time.monotonic() - host.beat < self._long_call or not host.calls:
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
        blocking = [key for key in host.calls if str(key) == culprit]
        self.barred.update(blocking)
        host.loop.call_soon_threadsafe(self._returned, host, blocking, asyncio.get_running_loop())
        for outcome in tuple(host.calls.values()):
            if not outcome.done():
                outcome.set_exception(LoopGivenUp(culprit))

    def _returned(self, host: _Loop, keys: list[Hashable], main: asyncio.AbstractEventLoop) -> None:
        def free() -> None:
            for key in keys:
                self.barred.discard(key)
                self._on_free(key)

        host.end()
        with suppress(RuntimeError):  # the process is ending
            main.call_soon_threadsafe(free)


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

    with suppress(RuntimeError):  # the process is ending
        outcome.get_loop().call_soon_threadsafe(settle)


class Escaped(Exception):
    """SystemExit or KeyboardInterrupt out of async plan code."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.__cause__ = cause
