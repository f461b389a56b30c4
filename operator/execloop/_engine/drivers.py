"""The two ways to attempt tasks: plain calls, and awaiting. What each does to a task is all they have of their own.

Both take siblings, report to `advance` what became of them, continue with what it returns, and end when that is None.
Each can continue where the other stopped, so a plan may mix sync and async.
"""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from execloop._engine.errors import countable
from execloop._engine.returned import MustAwait, refuse_awaitable, take_children
from execloop._engine.tasks import AWAIT, CALL, Modes, modes, modes_of, task_name
from execloop._engine.walk import RUNNING, WAIT, AttemptEnded, Failure, Followed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execloop._engine.events import Phase
    from execloop._engine.runtime.threads import Threads
    from execloop._engine.tasks import Task
    from execloop._engine.walk import Place, Reply, Stop, Walk, WalkStep

    Siblings = Iterator[Task]
    Advance = Callable[[Reply], Siblings | None]

__all__ = ["Driver", "Parallel", "Unfinished"]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What plain calls cannot finish: a task whose function returned an awaitable. `Driver.finish` does."""

    task: Task
    awaitable: Any


class _Ended(NamedTuple):
    """An attempt in a thread; a reply of None is one too."""

    reply: Reply


class Driver:
    """Attempts tasks, the same rules for both ways. `Run` makes one for each run."""

    def __init__(self, stop: Stop, *, awaits: bool, classify: Callable[[BaseException], Exception] = countable) -> None:
        self.stop = stop
        self.classify = classify
        """Returns the error to count for what plan code raised, or raises what must not be counted."""
        self.awaits = awaits
        """Whether the caller can await: where it cannot, asynchronous plan code is a TypeError."""
        self.awaited: Task | None = None
        """The first task until now that has an asynchronous phase."""

    def by_calling(  # noqa: C901, PLR0912 - see the loop
        self, siblings: Siblings | None, advance: Callable[[Reply | Unfinished], Siblings | None]
    ) -> Siblings | None:
        """Return early, with the siblings that are left, once there are tasks that must be awaited."""
        stop = self.stop
        while siblings is not None:
            for task in siblings:  # flat: one more function call a task would cost a third of the bare loop
                phase: Phase = "pre"
                children: Any
                try:
                    if (odd := task.pre()) is not None:
                        _refuse(odd, task)
                    if stop.expired:
                        return None
                    phase = "perform"
                    if (children := task.perform()) is not None:
                        children = self._children(task, children)
                    if stop.expired:
                        return None
                    phase = "post"
                    if (odd := task.post()) is not None:
                        _refuse(odd, task)
                except MustAwait as must:
                    if stop.expired:
                        _close(must.awaitable)
                        return None
                    siblings = advance(self._unfinished(task, must.awaitable))
                    break
                except BaseException as error:  # noqa: BLE001 - `classify` raises what must not be counted
                    siblings = advance(Failure(phase, self.classify(error)))
                    break
                if children or stop.requested:
                    siblings = advance(children)
                    break
            else:
                siblings = advance(None)
            if self.awaited is not None:
                break
        return siblings

    async def by_awaiting(  # noqa: C901, PLR0912 - flat, as its twin is
        self, siblings: Siblings | None, advance: Advance, threads: Threads
    ) -> None:
        """A task that has no asynchronous phase is attempted by calling, in a thread."""
        stop, kind = self.stop, None
        while siblings is not None:
            for task in siblings:
                attempted: Any = task
                if type(task) is not kind:
                    how, kind = self._how(task)
                    pre, _, post = how
                    if AWAIT not in how:
                        if (ended := await self._in_thread(task, threads)) is None:
                            return
                        siblings = advance(ended.reply)
                        break
                    if CALL in how:
                        attempted = _Awaited(task, how, threads)
                phase: Phase = "pre"
                try:
                    if pre and (odd := await attempted.pre()) is not None:
                        _refuse(odd, task)
                    if stop.expired:
                        return
                    phase = "perform"
                    if (children := await attempted.perform()) is not None:
                        children = await self._children_awaited(task, children)
                    if stop.expired:
                        return
                    phase = "post"
                    if post and (odd := await attempted.post()) is not None:
                        _refuse(odd, task)
                except BaseException as error:  # noqa: BLE001 - `classify` raises what must not be counted
                    siblings = advance(Failure(phase, self.classify(error)))
                    break
                if children or stop.requested:
                    siblings = advance(children)
                    break
            else:
                siblings = advance(None)

    async def _in_thread(self, task: Task, threads: Threads) -> _Ended | None:
        """Attempt a task by calling; return None when the stop has expired meanwhile."""
        replies: list[Reply | Unfinished] = []
        await threads.call(partial(self.by_calling, iter((task,)), replies.append))
        if not replies:
            return None
        reply = await self.finish(replies[0], threads)
        return None if isinstance(replies[0], Unfinished) and self.stop.expired else _Ended(reply)

    async def finish(self, reply: Reply | Unfinished, threads: Threads) -> Reply:
        """Finish a task whose function returned an awaitable; return any other reply as it is."""
        if not isinstance(reply, Unfinished):
            return reply
        task: Task = reply.task
        phase: Phase = "perform"
        if self.stop.expired:
            _close(reply.awaitable)
            return None
        try:
            children = await self._children_awaited(task, reply.awaitable)
            if self.stop.expired:
                return None
            phase = "post"
            if modes(task)[2] and (odd := await threads.call(task.post)) is not None:
                _refuse(odd, task)
        except BaseException as error:  # noqa: BLE001 - `classify` raises what must not be counted
            return Failure(phase, self.classify(error))
        return children

    def refuse_async(self, what: str) -> None:
        if not self.awaits:
            raise TypeError(f"{what} is asynchronous: use arun() instead of run()")

    def check(self) -> None:
        if self.awaited is not None:
            self.refuse_async(f"the task {task_name(self.awaited)!r}")

    def _how(self, task: Task) -> tuple[Modes, type | None]:
        """How to attempt a task; and its class, where that makes every task of it one to await as it is."""
        self.check()
        how = modes(task)
        return how, None if CALL in how or modes_of(type(task)) is None else type(task)

    def _children(self, task: Task, returned: object) -> tuple[Task, ...] | Followed:
        taken = take_children(task, returned, lambda: f"perform() of the task {task_name(task)!r}")
        self.awaited = self.awaited or taken.awaited
        return Followed(taken.tasks, taken.waits) if taken.waits else taken.tasks

    async def _children_awaited(self, task: Task, returned: object) -> tuple[Task, ...] | Followed:
        try:
            return self._children(task, returned)
        except MustAwait as must:
            return self._children(task, await must.awaitable)

    def _unfinished(self, task: Task, awaitable: Any) -> Unfinished:
        if self.awaits:
            return Unfinished(task, awaitable)
        _close(awaitable)
        raise TypeError(f"the task {task_name(task)!r} returned an awaitable: use arun() instead of run()")


class Parallel:
    """Several attempts at one moment, in lanes that each go from task to task; the walk decides how many."""

    def __init__(self, driver: Driver, walk: Walk, threads: Threads) -> None:
        self._driver, self._walk, self._threads = driver, walk, threads
        self._lanes: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self._late: list[BaseException] = []

    async def run(self, first: WalkStep) -> None:
        try:
            self._open(first)
            error = await self._ended
        finally:
            lanes = tuple(self._lanes)
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            if self._late:
                raise self._late[0]
        if error is not None:
            raise error

    def _open(self, step: WalkStep | None = None) -> None:
        lane = asyncio.create_task(self._lane(step))
        self._lanes.add(lane)
        lane.add_done_callback(self._lanes.discard)

    async def _lane(self, step: WalkStep | None) -> None:
        place: Place | None = None

        def take(step: WalkStep | None) -> Siblings | None:
            nonlocal place
            place = None
            if step is None:
                self._end(None)
            if step is None or step is WAIT:
                return None
            place = self._walk.place
            self._walk.advance(RUNNING)
            if self._walk.ready:
                self._open()
            return step

        def advance(reply: Reply) -> Siblings | None:
            assert place is not None
            return take(self._walk.advance(AttemptEnded(place, reply)))

        try:
            # A lane asks when it begins, not when it is opened: much may have happened in between.
            await self._driver.by_awaiting(take(step or self._walk.advance(None)), advance, self._threads)
            if place is not None:  # the stop expired during an attempt
                self._end(None)
        except BaseException as error:  # noqa: BLE001 - SystemExit must not reach the loop; `run` raises it
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        if not self._ended.done():
            self._ended.set_result(error)
        elif error is not None and not isinstance(error, asyncio.CancelledError):
            self._late.append(error)


class _Awaited:
    """A task with some asynchronous phases; the others are called in threads, so that all can be awaited."""

    def __init__(self, task: Task, how: Modes, threads: Threads) -> None:
        self.pre, self.perform, self.post = (
            partial(threads.call, phase) if mode == CALL else phase
            for mode, phase in zip(how, (task.pre, task.perform, task.post), strict=True)
        )


def _close(awaitable: object) -> None:
    """Leave no coroutine behind that nothing will await."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def _refuse(returned: object, task: Task) -> None:
    refuse_awaitable(returned, lambda: f"a phase of the task {task_name(task)!r}")
