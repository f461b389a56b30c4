"""Where plan code runs: blocking code in daemon threads, async code on an event loop in a thread of its own.

So a plan that blocks delays neither the watch of the API server nor the exit of the process. The controller makes one
`PlanHost`, and every call of plan code goes through it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from execloop.controller.plancode.call import Call
from execloop.controller.plancode.errors import Escaped, LoopGivenUp, StillRunning, TooManyBlocked
from execloop.controller.plancode.loop import CANCELLATION_GAPS, PlansLoop
from execloop.controller.plancode.places import Places
from execloop.controller.plancode.threads import PlanThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

__all__ = ["PlanHost"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_PATIENCE = 1.0
_RETRIES_PER_SECOND = 20
_LONGEST_RETRY = 300.0
_ASYNC_SHARES = (0.02, 0.2)
"""Of `long_call`: after which a call gives its place up, and after which its key needs none the next time."""


class PlanHost:
    """`workers` bounds the blocking calls at one moment, and so the async ones; `max_threads` all threads of plan code.

    A blocking call of over `long_call` seconds gives its place up, not its thread; an async call, which costs little
    while it waits, after a fiftieth of that. `on_long` is then called with its key. Async code that takes a fifth of
    `long_call` needs no place the next time. Use it from one event loop.
    `on_free` is called with a key that was barred and is not any more, or that was refused a thread and may get one;
    `note` with the key of each call that begins, and what it returns once nothing of that call can run any more.
    `beat`: seconds between two looks at the plans' event loop, which is given up when it has not turned for
    `long_call`. `patience`: seconds that a call which is cancelled, or leaves tasks behind, has to end before its key
    is barred; `gaps`: seconds between two cancellations of one that does not end. `new_loop` makes their event loop.
    """

    def __init__(
        self,
        workers: int,
        max_threads: int,
        on_free: Callable[[Hashable], None] = lambda _key: None,
        on_long: Callable[[Hashable], None] = lambda _key: None,
        note: Callable[[Hashable], Callable[[], None]] = lambda _key: _nothing,
        *,
        long_call: float = 5.0,
        beat: float = 1.0,
        patience: float = _PATIENCE,
        gaps: tuple[float, ...] = CANCELLATION_GAPS,
        clock: Callable[[], float] = time.monotonic,
        new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    ) -> None:
        self.threads = PlanThreads(max_threads, min(workers, max_threads // 2), self._thread_is_free)
        self.barred: set[Hashable] = set()
        """Keys whose abandoned plan code still runs: it must not run again until it has ended."""
        hold, long = (share * long_call for share in _ASYNC_SHARES)
        self._places = Places(workers, long_call, long_call, on_long)
        self._async_places = Places(workers, hold, long, on_long, remembers=True)
        self._on_free, self._note = on_free, note
        self._long_call, self._beat, self._patience = long_call, beat, patience
        self._gaps, self._clock, self._new_loop = gaps, clock, new_loop
        self._main: asyncio.AbstractEventLoop | None = None
        self._loop: PlansLoop | None = None
        self._calls: dict[Hashable, Call] = {}
        """The one call of each key."""
        self._to_end: dict[Hashable, deque[tuple[PlansLoop, Call]]] = {}
        """Calls that were frozen, and are to end as soon as no other call of their key runs."""
        self._refused: dict[Hashable, None] = {}

    @property
    def waiting(self) -> int:
        """Return the calls that wait for a place."""
        return self._places.waiting + self._async_places.waiting

    async def call(self, key: Hashable, function: Callable[[], T], *, within: float | None = None) -> T:
        """Call blocking plan code; `within`: seconds it may take, not counting the wait for a place.

        Raises what it raises, or `Escaped`; `OutOfTime`; `NotNow`. When it is out of time, or the awaiting task is
        cancelled, the key is barred until the thread has returned.
        """

        def work() -> tuple[T | None, BaseException | None]:
            try:
                return function(), None
            except BaseException as error:  # noqa: BLE001 - it is raised where the call is awaited
                return None, error

        async def in_thread() -> T:
            call = self._enter(key)
            try:
                result, error = await self.threads.call_at_once(call, work)
            except TooManyBlocked as refusal:
                refusal.after = self._refuse(key)
                raise
            finally:
                self._leave(call)
            return _raised(result, error)

        return await self._places.call(key, in_thread, within)

    async def on_loop(
        self, key: Hashable, make: Callable[[], Coroutine[object, object, T]], *, within: float | None = None
    ) -> T:
        """Await async plan code on the loop in its own thread, and the end of all tasks that it started.

        Raises as `call` does, and `LoopGivenUp` when another plan blocks that loop. What it leaves running is
        cancelled; what does not end then bars the key until it does.
        """

        async def hosted() -> T:
            host = self._their_loop()
            call = self._enter(key)
            main = asyncio.get_running_loop()
            outcome: asyncio.Future[tuple[T | None, BaseException | None]] = main.create_future()
            host.calls[call] = outcome
            host.start(call, make, lambda pair: _call_soon(main, _settle, outcome, pair))
            try:
                result, error = await outcome
                await self._until_off_loop(call)
            except asyncio.CancelledError:
                self._cut(call, host)
                await self._until_off_loop(call)
                raise
            finally:
                host.calls.pop(call, None)
                self._cut(call, host)
                self._leave(call)
            return _raised(result, error)

        return await self._async_places.call(key, hosted, within)

    def _cut(self, call: Call, host: PlansLoop) -> None:
        """What is left of it ends; frozen calls have their turn later."""
        if not (call.quiet or call.frozen):
            host.cut(call)

    def _their_loop(self) -> PlansLoop:
        if self._loop is None:
            try:
                self._loop = PlansLoop(self.threads, self._gaps, self._new_loop)
            except (OSError, RuntimeError) as error:  # no file descriptor, no thread
                raise TooManyBlocked(f"no event loop for async plan code: {error}") from None
        return self._loop

    def _refuse(self, key: Hashable) -> float:
        """Seconds after which it tries again, if no thread is free earlier: all that wait, some a second."""
        self._refused[key] = None
        return min(max(1.0, len(self._refused) / _RETRIES_PER_SECOND), _LONGEST_RETRY)

    def _thread_is_free(self) -> None:
        if self._refused and self._main is not None:
            _call_soon(self._main, self._call_next)

    def _call_next(self) -> None:
        for key in self._refused:
            del self._refused[key]
            self._on_free(key)
            return

    # -- one call for each key

    def _enter(self, key: Hashable) -> Call:
        self._main = asyncio.get_running_loop()
        if key in self._calls:
            raise StillRunning(f"an earlier call of {key} has not ended yet")
        self._refused.pop(key, None)
        call = self._calls[key] = Call(key, self._changed)
        call.noted = self._note(key)
        return call

    def _changed(self, call: Call) -> None:
        """From any thread."""
        if self._main is not None:
            _call_soon(self._main, self._look, call)

    def _look(self, call: Call) -> None:
        call.moved.set()
        if call.left and call.quiet:
            self._release(call)

    def _leave(self, call: Call) -> None:
        """The call is not awaited any more."""
        if call.quiet:
            self._release(call)
        elif self._calls.get(call.key) is call:
            self._bar(call)

    def _bar(self, call: Call) -> None:
        self.barred.add(call.key)
        call.left = True
        if call.quiet:  # its last thread ended before it could see that
            self._changed(call)

    def _release(self, call: Call) -> None:
        """Free its key, unless another call has it already."""
        if self._calls.get(call.key) is not call:
            return
        del self._calls[call.key]
        call.noted()
        if call.left:
            self.barred.discard(call.key)
            self._on_free(call.key)
        self._end_next(call.key)

    async def _until_off_loop(self, call: Call) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while call.on_loop and not call.frozen:
                    call.moved.clear()
                    await call.moved.wait()

    # -- a loop that is blocked

    async def watch(self) -> None:
        """Give an event loop up that does not turn; runs until cancelled."""
        seen: tuple[PlansLoop | None, int] = (None, 0)
        blocked, looked = 0.0, self._clock()
        while True:
            await asyncio.sleep(self._beat)
            now = self._clock()
            passed, looked = now - looked, now
            host = self._loop
            if host is None:
                continue
            if seen != (host, host.turns) or not host.calls:
                seen, blocked = (host, host.turns), 0.0
                _call_soon(host.loop, host.touch)
                continue
            # A late look shows that the whole process was paused, or has too little CPU: it counts the less, the later.
            blocked += self._beat * self._beat / max(passed, self._beat)
            if blocked >= self._long_call:
                self._give_up(host)

    def _give_up(self, host: PlansLoop) -> None:
        host.given_up = True
        culprit = host.stepping  # read last: see `_steps`
        name = "unknown" if culprit is None else str(culprit.key)
        logger.error("the async code of Plan %s blocks its event loop; the other Plans continue on a new one", name)
        self._loop = None
        for call, outcome in host.calls.items():
            if call is culprit:
                self._bar(call)
                host.cut(call)
            elif not call.cut:
                call.frozen = True
                host.frozen.append(call)
            if not outcome.done():
                outcome.set_exception(LoopGivenUp(name))
                outcome.exception()  # its caller may be about to end
        _call_soon(host.loop, _call_soon, asyncio.get_running_loop(), self._turns_again, host)
        for call in tuple(host.frozen):
            call.moved.set()

    def _turns_again(self, host: PlansLoop) -> None:
        """What was frozen on it ends now, or as soon as no other call of its key runs."""
        for call in host.frozen:
            self._to_end.setdefault(call.key, deque()).append((host, call))
            self._end_next(call.key)
        host.frozen.clear()
        _call_soon(host.loop, host.end_if_idle)

    def _end_next(self, key: Hashable) -> None:
        waiting = self._to_end.get(key)
        if not waiting or self._calls.get(key) not in (None, waiting[0][1]):
            return
        host, call = waiting.popleft()
        if not waiting:
            del self._to_end[key]
        if self._calls.get(key) is not call:
            self._calls[key], call.noted = call, self._note(key)
        self._bar(call)
        call.frozen = False
        host.cut(call)
        self._look(call)  # it may have ended as its loop was given up


def _nothing() -> None:
    """Do nothing: the end of a call where calls are not noted."""


def _raised(result: T | None, error: BaseException | None) -> T:
    if error is None:
        return result  # type: ignore[return-value]  # the call's own result
    try:
        raise error if isinstance(error, Exception) else Escaped(error)
    finally:
        del error  # no reference cycle through the traceback


def _settle(outcome: asyncio.Future[T], result: T) -> None:
    if not outcome.done():
        outcome.set_result(result)


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *args: Any) -> None:
    """From any thread."""
    with suppress(RuntimeError):  # the process is ending
        loop.call_soon_threadsafe(function, *args)
