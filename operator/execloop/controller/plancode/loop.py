"""The event loop of all async plan code, in a daemon thread of its own.

Its tasks belong to the call that they descend from. Once the loop is given up they take no step but to end, each call
when it is asked to: so that what is left of it never runs beside the run that has begun again elsewhere.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import types
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from execloop.controller.plancode.call import CALL
from execloop.controller.plancode.threads import Executor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from execloop.controller.plancode.call import Call
    from execloop.controller.plancode.threads import PlanThreads

__all__ = ["CANCELLATION_GAPS", "PlansLoop"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

CANCELLATION_GAPS = (5.0, 10.0, 20.0, 40.0, 80.0)
"""Seconds between two cancellations of one call: code that cleans up has time for it, code that eats one gets more."""
_CLOSE = 1.0


class PlansLoop:
    """Raises OSError or RuntimeError when the system gives no more descriptors or threads."""

    def __init__(
        self, threads: PlanThreads, gaps: tuple[float, ...], new_loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        self.loop = new_loop()
        self.loop.set_task_factory(self._make_task)
        self.loop.set_default_executor(Executor(threads))
        self.loop.set_exception_handler(_say)
        self.calls: dict[Call, asyncio.Future[Any]] = {}
        """Calls that are awaited, and what is awaited."""
        self.frozen: list[Call] = []
        self.given_up = False
        self.turns = 0
        """Grows while the loop turns."""
        self.stepping: Call | None = None
        """The call whose code runs at this moment."""
        self._gaps = gaps
        self._served = 0
        self._ended = False
        try:
            threading.Thread(target=self._turn, name="plans-async", daemon=True).start()
        except RuntimeError:
            self.loop.close()
            raise

    def _turn(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._ended:
            # What a task that plan code started raises goes to the code that awaits it, and to the loop's handler.
            with suppress(SystemExit, KeyboardInterrupt):
                self.loop.run_forever()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left, timeout=_CLOSE))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def touch(self) -> None:
        self.turns += 1

    def end(self) -> None:
        """Cancel what is left and close the loop; call it there."""
        self._ended = True
        self.loop.stop()

    def start(
        self,
        call: Call,
        make: Callable[[], Coroutine[object, object, T]],
        settle: Callable[[tuple[T | None, BaseException | None]], object],
    ) -> None:
        """Begin a call, from any thread. `settle` is called on this loop with its result and its error."""
        call.ending = self.loop.create_future()
        call.on_loop = True
        context = contextvars.copy_context()
        context.run(CALL.set, call)

        def settled(root: asyncio.Task[tuple[T | None, BaseException | None]]) -> None:
            settle((None, asyncio.CancelledError()) if root.cancelled() else root.result())

        def begin() -> None:
            root = self.loop.create_task(_outcome(make), name=str(call.key), context=context)
            root.add_done_callback(settled)
            self._served += 1
            serving = self.loop.create_task(self._serve(call, root))
            serving.add_done_callback(self._has_served)

        self.loop.call_soon_threadsafe(begin)

    def cut(self, call: Call) -> None:
        """Cancel what is left of a call, again and again, until it has ended; from the host's thread."""
        call.cut = True

        def end() -> None:
            if not call.ending.done():
                call.ending.set_result(None)

        with suppress(RuntimeError):  # the loop is closed: nothing is left
            self.loop.call_soon_threadsafe(end)

    async def _serve(self, call: Call, root: asyncio.Task[Any]) -> None:
        """See a call to its end. What it leaves running is cancelled, as `asyncio.run` does."""
        await asyncio.wait({root, call.ending}, return_when=asyncio.FIRST_COMPLETED)
        for gap in self._gaps:
            if not call.tasks:
                break
            if self.given_up:
                await asyncio.wait({call.ending})
            for task in set(call.tasks) if root.done() else {root}:
                task.cancel()
            await _all_done(call, gap)
        if call.tasks:
            logger.error("async code of Plan %s does not end when it is cancelled; it is barred until then", call.key)
        await _all_done(call, None)
        call.leave_loop()

    def _has_served(self, _serving: object) -> None:
        self._served -= 1
        self.end_if_idle()

    def end_if_idle(self) -> None:
        """End a loop that was given up once it has nothing left; call it there."""
        if self.given_up and not self._served:
            self.end()

    def _make_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        context: contextvars.Context | None = options.get("context")
        call = CALL.get() if context is None else context.get(CALL)
        if call is None or not call.on_loop or not asyncio.iscoroutine(coroutine):
            return asyncio.Task(coroutine, loop=loop, **options)
        task = PlanTask(_guarded(self, call, coroutine), loop=loop, **options)
        task.call = call
        call.tasks.add(task)
        task.add_done_callback(call.tasks.discard)
        task.add_done_callback(lambda _done: coroutine.close())  # one that never began
        return task


class PlanTask(asyncio.Task[Any]):
    """A task of plan code."""

    call: Call


async def _guarded(host: PlansLoop, call: Call, coroutine: Coroutine[Any, Any, T]) -> T:
    return await _steps(host, call, coroutine)


@types.coroutine
def _steps(host: PlansLoop, call: Call, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Drive a coroutine, and say whose step it is. On a loop that was given up it takes none before it is to end."""
    step: Callable[[], Any] = partial(coroutine.send, None)
    while True:
        host.stepping = call
        if host.given_up and not call.ending.done():  # looked at last: `PlanHost` reads these two the other way round
            host.stepping = None
            while not call.ending.done():
                with suppress(asyncio.CancelledError):
                    yield from asyncio.shield(call.ending)
            step = partial(coroutine.throw, asyncio.CancelledError())
            continue
        try:
            awaited = step()
        except StopIteration as returned:
            result: T = returned.value
            return result
        finally:
            host.stepping = None
            host.turns += 1
        try:
            step = partial(coroutine.send, (yield awaited))
        except BaseException as error:  # noqa: BLE001 - it is the coroutine's to see
            step = partial(coroutine.throw, error)


async def _outcome(make: Callable[[], Coroutine[object, object, T]]) -> tuple[T | None, BaseException | None]:
    try:
        return await make(), None
    except BaseException as error:  # noqa: BLE001 - SystemExit must not end the loop; it is raised where it is awaited
        return None, error


async def _all_done(call: Call, within: float | None) -> None:
    """Until no task of it is left, those that it starts meanwhile among them, or the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while call.tasks:
                await asyncio.wait(set(call.tasks))


def _say(_loop: object, context: dict[str, Any]) -> None:
    """An error that is never awaited; its text may hold a secret."""
    task = context.get("task") or context.get("future")
    key = task.call.key if isinstance(task, PlanTask) else "unknown"
    error = context.get("exception")
    kind = "an error" if error is None else type(error).__name__
    logger.warning("unhandled in the async code of Plan %s: %s (%s)", key, kind, context.get("message"))
