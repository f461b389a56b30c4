"""One run of an execution: `create()`, then the walk over what it returned. Here the engine meets the plan's code.

`blocking` attempts tasks by plain calls, `on_loop` by awaiting; what each does to a task is all they have of their own.
Either can go on where the other stopped, so a plan may mix sync and async as it likes.
"""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from execloop.clock import SystemClock
from execloop.errors import ExecutionTimeout
from execloop.events import ConvergedEvent, ErrorRecord, Event, GaveUp, Ledger, Phase, RunFinished, RunStarted, TaskPath
from execloop.execution import Again, Converged, CreateFailed, Execution, Failed, Interrupted, Outcome
from execloop.tasks import AWAIT, CALL, SKIP, NotTasks, Task, any_async, as_tasks, is_async, modes
from execloop.threads import Threads
from execloop.walk import RUNNING, WAIT, Done, Failure, Reply, Stop, Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.clock import Clock
    from execloop.options import Options
    from execloop.plans import Plan

__all__ = ["Run", "astep", "describe", "step"]

_CLOCK = SystemClock()
_THREADS = Threads()


def describe(plan: object) -> str:
    """What error messages call a plan."""
    name = getattr(plan, "name", None)
    return repr(name) if isinstance(name, str) else type(plan).__name__


class Run:
    """Mutable, used once, and driven by one owner at a time; `stop` alone may be touched from elsewhere."""

    def __init__(
        self,
        plan: Plan,
        execution: Execution,
        options: Options,
        *,
        clock: Clock = _CLOCK,
        stop: Stop | None = None,
        notify: Callable[[Event], None] | None = None,
        awaits: bool = True,
    ) -> None:
        if not callable(getattr(plan, "create", None)):
            raise TypeError(f"a plan must have a method create(); {plan!r} has none")
        started_at = clock.now() if execution.started_at is None else execution.started_at
        self.plan, self.options, self.clock = plan, options, clock
        self.execution = replace(execution, started_at=started_at)
        self.stop = stop or Stop()
        self.notify = notify
        self.awaits = awaits
        """Whether the caller can await: where it cannot, asynchronous plan code is a TypeError."""
        self.walk: Walk | None = None
        self.outcome: Outcome | None = None
        self._deadline: float | None = None
        if options.timeout is not None:
            self._deadline = self.execution.deadline(options.timeout) - clock.now() + clock.monotonic()
        self._next: Task | Any = None
        self._mixed = False

    # -- what both ways of driving share

    def _expired(self) -> bool:
        if self._deadline is not None and self.clock.monotonic() >= self._deadline:
            self.stop.expire()
        return self.stop.expired

    def _unready(self) -> bool:
        """Whether there is no longer time, or reason, to ask the plan."""
        return self._expired() or self.stop.requested

    def _refuse_async(self, what: str) -> None:
        if not self.awaits:
            raise TypeError(f"{what} is asynchronous: use arun() instead of run()")

    def _begin(self, created: object) -> None:
        """Take what `create()` returned, and ask the walk for the first task."""
        try:
            tasks = as_tasks(created, lambda: f"create() of the plan {describe(self.plan)}")
        except NotTasks as error:
            self.outcome = Failed(self.execution, error)
            return
        except Exception as error:  # noqa: BLE001 - a generator raised: part of create()
            self.outcome = CreateFailed(self.execution, error)
            return
        if not tasks:
            self.outcome = Converged(self.execution.after_run(0))
            return
        if (awaited := any_async(tasks)) is not None:
            self._refuse_async(f"the task {awaited.name!r}")
            self._mixed = True
        self.walk = Walk(tasks, self.execution, self.options, self.stop, self.notify)
        if self.notify:
            self.notify(RunStarted(self.execution, tuple(task.name for task in tasks), self.walk.errors_left))
        self._next = next(self.walk.steps, None)

    def _children(self, task: Task, returned: object) -> tuple[Task, ...]:
        tasks = as_tasks(returned, lambda: f"perform() of the task {task.name!r}")
        self._mixed = self._mixed or any_async(tasks) is not None
        return tasks

    def abandon(self) -> None:
        """Leave a blocked call to itself: whatever it returns, nothing follows from it."""
        self.stop.expire()
        self.notify = None
        if self.walk:
            self.walk.notify = None

    def conclude(self) -> Outcome:
        """The outcome, once a driver has finished (or has been abandoned)."""
        if self.outcome is None:
            self.outcome = self._weigh()
        if self.notify:
            self.notify(_event(self.outcome))
        return self.outcome

    def _weigh(self) -> Outcome:
        walk, execution, errors = self.walk, self.execution, 0
        if walk is not None:
            errors = walk.errors
            execution = execution.after_run(errors, str(walk.records[-1]) if errors else None)
        if walk is not None and walk.failure is not None:
            return Failed(execution, walk.failure)
        if self.stop.expired:
            return Failed(execution, ExecutionTimeout(f"not converged within {self.options.timeout:g} seconds"))
        if self.stop.requested:
            return Interrupted(execution)
        return Again(execution, self.options.sleep, errors)

    @property
    def records(self) -> list[ErrorRecord]:
        """The run's last errors, in the order of the tree whatever order they happened in."""
        found = [] if self.walk is None else list(self.walk.records)
        return found if self.options.parallelism == 1 else sorted(found, key=lambda record: record.path.positions)

    def book(self, ledger: Ledger) -> None:
        """Add what was done until now."""
        if self.walk is not None:
            ledger.tasks += self.walk.count
            ledger.error_count += self.walk.errors
            ledger.errors.extend(self.records)
        ledger.runs += self.walk is not None or isinstance(self.outcome, Converged)

    # -- plain calls

    def blocking(self) -> bool:
        """Drive on the calling thread: True when finished, False when the next call must be awaited."""
        if self.walk is None and self.outcome is None:
            if self._unready():
                return True
            if is_async(self.plan.create):
                self._refuse_async(f"the plan {describe(self.plan)}")
                return False
            try:
                created = self.plan.create()
            except Exception as error:  # noqa: BLE001 - any error of the plan's code
                self.outcome = CreateFailed(self.execution, error)
                return True
            self._begin(created)
        if self.outcome is not None or self._next is None:
            return True
        if self.options.parallelism > 1:
            return False
        return self._plain_calls()

    def _plain_calls(self) -> bool:
        assert self.walk is not None
        send, stop, task = self.walk.steps.send, self.stop, self._next
        phase: Phase
        try:
            while True:
                if self._mixed and AWAIT in modes(task):
                    self._refuse_async(f"the task {task.name!r}")
                    self._next = task
                    return False
                phase = "pre"
                try:
                    if (odd := task.pre()) is not None:
                        _refuse_awaitable(odd, task)
                    if stop.expired:
                        return True
                    phase = "perform"
                    children = task.perform()
                    if children is not None:
                        children = self._children(task, children)
                    if stop.expired:
                        return True
                    phase = "post"
                    if (odd := task.post()) is not None:
                        _refuse_awaitable(odd, task)
                except Exception as error:  # noqa: BLE001 - any error of the plan's code
                    task = send(Failure(phase, error))
                else:
                    task = send(children)
        except StopIteration:
            self._next = None
            return True

    # -- awaiting

    async def on_loop(self, threads: Threads = _THREADS) -> None:
        """Drive on the running event loop, with blocking calls in `threads`; stops at the deadline."""
        remaining = None if self._deadline is None else max(0.0, self._deadline - self.clock.monotonic())
        scope = asyncio.timeout(remaining)
        try:
            async with scope:
                await self._drive(threads)
        except TimeoutError:
            if not scope.expired():
                raise
        except asyncio.CancelledError:
            self.abandon()
            raise
        if scope.expired():
            self.stop.expire()
            self.abandon()

    async def _drive(self, threads: Threads) -> None:
        if self.walk is None and self.outcome is None and is_async(self.plan.create):
            self._refuse_async(f"the plan {describe(self.plan)}")
            if self._unready():
                return
            try:
                created = await cast("Any", self.plan.create())
            except Exception as error:  # noqa: BLE001 - any error of the plan's code
                self.outcome = CreateFailed(self.execution, error)
                return
            self._begin(created)
        elif self.walk is None and await threads.call(self.blocking):
            return
        if self.outcome is not None or self._next is None:
            return
        if self.options.parallelism > 1:
            await self._overlap(threads)
        else:
            await self._one_by_one(threads)

    async def _one_by_one(self, threads: Threads) -> None:
        assert self.walk is not None
        send, deadline, monotonic = self.walk.steps.send, self._deadline, self.clock.monotonic
        try:
            while True:
                task = self._next
                if deadline is not None and monotonic() >= deadline:
                    self.stop.expire()
                    return  # even where no await gave the loop a chance to notice
                if AWAIT not in modes(task):
                    if await threads.call(self.blocking):
                        return
                    continue
                self._next = send(await self._attempt(task, threads))
        except StopIteration:
            self._next = None

    async def _attempt(self, task: Task, threads: Threads) -> Reply:
        pre, perform, post = modes(task)
        phase: Phase = "pre"
        children = None
        try:
            if pre != SKIP:
                await (task.pre() if pre == AWAIT else threads.call(task.pre))  # type: ignore[misc]
            phase = "perform"
            children = await (task.perform() if perform == AWAIT else threads.call(task.perform))  # type: ignore[misc]
            if children is not None:
                children = self._children(task, children)
            phase = "post"
            if post != SKIP:
                await (task.post() if post == AWAIT else threads.call(task.post))  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - any error of the plan's code
            return Failure(phase, error)
        return children

    async def _overlap(self, threads: Threads) -> None:
        """Several attempts at one moment; the walk decides how many."""
        assert self.walk is not None
        walk, send = self.walk, self.walk.steps.send
        ended: list[Done] = []
        escaped: list[BaseException] = []
        running: set[asyncio.Task[None]] = set()
        wake = asyncio.Event()

        async def attempt(path: TaskPath) -> None:
            try:
                result = await self._attempt(path.task, threads)
                ended.append(Done(path, result))
            except BaseException as error:  # noqa: BLE001 - SystemExit must not reach the loop; it is raised below
                escaped.append(error)
            wake.set()

        try:
            step: object = self._next
            while not escaped:
                if step is WAIT:
                    await wake.wait()
                    wake.clear()
                    done, ended = ended, []
                    step = send(done) if done else step
                elif not self._expired():
                    running.add(started := asyncio.create_task(attempt(walk.path)))
                    started.add_done_callback(running.discard)
                    step = send(RUNNING)
                else:
                    break
        except StopIteration:
            self._next = None
        finally:
            leftover = tuple(running)
            for started in leftover:
                started.cancel()
            await asyncio.gather(*leftover, return_exceptions=True)
        if escaped and not self.stop.expired:
            raise escaped[0]


def _refuse_awaitable(returned: object, task: Task) -> None:
    as_tasks(returned if inspect.isawaitable(returned) else None, lambda: f"a phase of the task {task.name!r}")


def _event(outcome: Outcome) -> Event:
    match outcome:
        case Converged(execution):
            return ConvergedEvent(execution)
        case Again(execution, delay):
            return RunFinished(execution, delay)
        case Interrupted(execution):
            return RunFinished(execution, 0.0)
        case CreateFailed(execution, error) | Failed(execution, error):
            return GaveUp(execution, error)


def step(
    plan: Plan,
    execution: Execution,
    options: Options,
    *,
    clock: Clock = _CLOCK,
    stop: Stop | None = None,
    notify: Callable[[Event], None] | None = None,
) -> Outcome:
    """Do one run on the calling thread. A deadline is honoured between tasks; `Executor` also interrupts a blocked one.

    Raises TypeError when the plan or a task is asynchronous: use `astep`.
    """
    run = Run(plan, execution, options, clock=clock, stop=stop, notify=notify, awaits=False)
    if options.parallelism > 1:
        raise ValueError("step() attempts one task at a time: use astep() for a parallelism of more than 1")
    run.blocking()
    return run.conclude()


async def astep(
    plan: Plan,
    execution: Execution,
    options: Options,
    *,
    clock: Clock = _CLOCK,
    stop: Stop | None = None,
    notify: Callable[[Event], None] | None = None,
    threads: Threads = _THREADS,
) -> Outcome:
    """Do one run on the running event loop; what blocks is done in `threads`."""
    run = Run(plan, execution, options, clock=clock, stop=stop, notify=notify)
    await run.on_loop(threads)
    return run.conclude()
