"""One run of an execution: `create()`, then the walk over what it returned.

`executor`, `step`, `astep`, the testing kit and the operator make one `Run` for each run.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from execloop._engine.drivers import Driver, Parallel, Unfinished
from execloop._engine.errors import ExecutionTimeout, countable
from execloop._engine.events import (
    ConvergedEvent,
    ErrorRecord,
    Event,
    GaveUp,
    Ledger,
    RunFinished,
    RunStarted,
)
from execloop._engine.execution import Again, Converged, CreateFailed, Execution, Failed, Interrupted, Outcome
from execloop._engine.returned import NotTasks, Taken, take_created
from execloop._engine.runtime.clock import SYSTEM_CLOCK
from execloop._engine.runtime.threads import SHARED, Threads
from execloop._engine.tasks import Task, is_async, task_name
from execloop._engine.waits import pause, waits_of
from execloop._engine.walk import WAIT, Reply, Stop, Walk, Withhold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execloop._engine.options import Options
    from execloop._engine.plan import Plan
    from execloop._engine.runtime.clock import Clock
    from execloop._engine.walk import WalkStep

__all__ = ["Run", "astep", "describe", "event_of", "out_of_time", "step"]


def describe(plan: object) -> str:
    """What error messages call a plan."""
    name = getattr(plan, "name", None)
    return repr(name) if isinstance(name, str) else type(plan).__name__


def _check_plan(plan: object) -> None:
    if not callable(getattr(plan, "create", None)):
        raise TypeError(f"a plan must have a method create(); {plan!r} has none")
    if inspect.isclass(plan) and inspect.isfunction(inspect.getattr_static(plan, "create", None)):
        raise TypeError(f"a plan must be an object with a method create(), not the class {plan.__qualname__}: make one")


def _no_loop() -> None:
    """Interrupt nothing: no event loop drives the run."""


class Run:
    """Mutable, used once, and driven by one owner at a time; `stop` and `abandon` alone may be used from elsewhere.

    `deadline` is on the clock's `monotonic`; without one it follows from when the execution started. `classify` returns
    the error to count for what plan code raised, or raises what must not be counted.
    """

    def __init__(
        self,
        plan: Plan,
        execution: Execution,
        options: Options,
        *,
        clock: Clock = SYSTEM_CLOCK,
        stop: Stop | None = None,
        notify: Callable[[Event], None] | None = None,
        awaits: bool = True,
        deadline: float | None = None,
        classify: Callable[[BaseException], Exception] = countable,
        withhold: Withhold | None = None,
    ) -> None:
        _check_plan(plan)
        self.plan, self.options, self.clock = plan, options, clock
        begun = execution.started_at is not None
        self.execution = execution if begun else replace(execution, started_at=clock.now())
        self.stop = stop or Stop()
        self.notify = notify
        self.walk: Walk | None = None
        self.outcome: Outcome | None = None
        self.begun = False
        """Whether a driver has begun."""
        self._withhold = withhold
        self._deadline = deadline
        if deadline is None and options.timeout is not None:
            self._deadline = self.execution.deadline(options.timeout) - clock.now() + clock.monotonic()
        self._driver = Driver(self.stop, awaits=awaits, classify=classify)
        self._next: WalkStep | None = None
        self._unfinished: Unfinished | None = None
        self._interrupt: Callable[[], object] = _no_loop

    def put_off(self, seconds: float) -> None:
        """Move the deadline of a run that had to wait before a driver could begin."""
        self.execution = replace(self.execution, paused=self.execution.paused + seconds)
        if self._deadline is not None:
            self._deadline += seconds

    def blocking(self) -> bool:
        """Drive on the calling thread: True when finished, False when the next call must be awaited."""
        self.begun = True
        if self._late():
            return True
        if self._fresh:
            if is_async(self.plan.create):
                self._driver.refuse_async(f"the plan {describe(self.plan)}")
                return False
            try:
                created = self.plan.create()
            except BaseException as error:  # noqa: BLE001 - `classify` raises what must not be counted
                self._not_created(error)
            else:
                self._begin(created)
        if self._calls:
            self._next = self._driver.by_calling(self._siblings, self._advance)
            self._driver.check()
        return self._next is None

    async def on_loop(self, threads: Threads = SHARED) -> None:
        """Drive on the running event loop, with blocking calls in `threads`; stops at the deadline."""
        self.begun = True
        loop = asyncio.get_running_loop()
        scope = asyncio.timeout(None)

        def close() -> None:
            with suppress(RuntimeError):  # left already
                scope.reschedule(loop.time())

        def interrupt() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(close)

        self._interrupt = interrupt
        try:
            async with scope:
                with self.alarmed():
                    await self._drive(threads)
        except BaseException as error:
            self.abandon()
            if not (isinstance(error, TimeoutError) and scope.expired()):
                raise

    def abandon(self) -> None:
        """Leave a blocked call to itself, and cancel what can be: whatever it returns, nothing follows from it."""
        if self.walk:
            self.walk.notify = None
        self._expire()

    def finish(self) -> Outcome:
        """Return the outcome, once a driver has finished or was abandoned, and notify the listeners."""
        outcome = self.settle()
        if self.notify:
            self.notify(event_of(outcome))
        return outcome

    def settle(self) -> Outcome:
        """Return the outcome of what was done until now."""
        if self.outcome is None:
            self.outcome = self._outcome()
        return self.outcome

    @property
    def records(self) -> list[ErrorRecord]:
        """The run's last errors, in the order of the tree whatever order they happened in."""
        found = [] if self.walk is None else list(self.walk.records)
        return found if self.options.parallelism == 1 else sorted(found, key=lambda record: record.path.positions)

    def add_to(self, ledger: Ledger) -> None:
        """Add what was done until now."""
        if self.walk is not None:
            ledger.tasks += self.walk.count
            ledger.error_count += self.walk.errors
            ledger.errors.extend(self.records)
            ledger.waits.extend(self.walk.waits)
        ledger.runs += self.walk is not None or isinstance(self.outcome, Converged)

    @contextmanager
    def alarmed(self) -> Iterator[None]:
        """While it lasts the clock sees to the deadline, even where the code that is driven blocks an event loop."""
        if self._deadline is None or self._late():
            yield
            return
        call_off = self.clock.alarm(max(0.0, self._deadline - self.clock.monotonic()), self._expire)
        try:
            yield
        finally:
            call_off()

    @property
    def _fresh(self) -> bool:
        return self.walk is None and self.outcome is None

    @property
    def _calls(self) -> bool:
        """Whether plain calls, one after another, will do for what comes next."""
        return self._next is not None and self.options.parallelism == 1 and self._driver.awaited is None

    @property
    def _siblings(self) -> Iterator[Task] | None:
        assert self._next is not WAIT
        return self._next

    def _expire(self) -> None:
        self.stop.expire()
        self._interrupt()

    def _late(self) -> bool:
        """Whether there is no longer time, or reason, to continue."""
        if self._deadline is not None and self.clock.monotonic() >= self._deadline:
            self.stop.expire()
        return self.stop.requested

    def _end(self, outcome: Outcome) -> None:
        if not self.stop.expired:  # else nothing waits for it any more
            self.outcome = outcome

    def _begin(self, created: object) -> None:
        """Take what `create()` returned, and ask the walk for the first step."""
        try:
            taken = take_created(created, lambda: f"create() of the plan {describe(self.plan)}")
        except NotTasks as error:
            self._end(Failed(self.execution, error))
        except BaseException as error:  # noqa: BLE001 - a generator raised: part of create()
            self._not_created(error)
        else:
            self._walk(taken)

    def _not_created(self, raised: BaseException) -> None:
        error = self._driver.classify(raised)  # which raises what must not be counted
        if waits := waits_of(error):
            self._walk(Taken(waits=waits))
        else:
            self._end(CreateFailed(self.execution, error))

    def _walk(self, taken: Taken) -> None:
        if not taken.tasks and not taken.waits:
            self._end(Converged(self.execution.after_run(0)))
            return
        if self.stop.expired:
            return
        self._driver.awaited = taken.awaited
        self._driver.check()
        self.walk = Walk(taken.tasks, self.execution, self.options, self.stop, self.notify, taken.waits, self._withhold)
        if self.notify:
            names = tuple(map(task_name, taken.tasks))
            self.notify(RunStarted(self.execution, names, self.walk.errors_left))
        self._next = self.walk.begin()

    async def _drive(self, threads: Threads) -> None:
        if self._late() and self._unfinished is None:
            return
        if self._fresh and is_async(self.plan.create):
            self._driver.refuse_async(f"the plan {describe(self.plan)}")
            try:
                created = await cast("Any", self.plan.create())
            except BaseException as error:  # noqa: BLE001 - `classify` raises what must not be counted
                self._not_created(error)
            else:
                self._begin(created)
        if self._fresh or self._calls:
            await threads.call(self.blocking)
        if self._unfinished is not None:
            reply = await self._driver.finish(self._unfinished, threads)
            if self.stop.expired:
                return
            self._advance(reply)
        if self.walk is None or self._next is None:
            return
        if self.options.parallelism > 1:
            await Parallel(self._driver, self.walk, threads).run(self._next)
        else:
            await self._driver.by_awaiting(self._siblings, self._advance, threads)

    def _advance(self, reply: Reply | Unfinished) -> Iterator[Task] | None:
        assert self.walk is not None
        if isinstance(reply, Unfinished):
            self._unfinished = reply
            self._driver.awaited = reply.task  # so that calling ends here
            return self._siblings
        self._next = self.walk.advance(reply)
        return self._siblings

    def _outcome(self) -> Outcome:
        walk, execution, errors = self.walk, self.execution, 0
        if walk is not None:
            errors = walk.errors
            last_error = str(walk.records[-1]) if errors else None
            execution = execution.after_run(errors, last_error, waited=bool(walk.waits) and not walk.worked)
        if walk is not None and walk.failure is not None:
            return Failed(execution, walk.failure)
        if self.stop.expired:
            return Failed(execution, out_of_time(self.options))
        if self.stop.requested:
            return Interrupted(execution)
        if walk is None:
            return Again(execution, self.options.sleep)
        waiting = tuple(dict.fromkeys(wait.message for wait in walk.waits))
        return Again(execution, self._delay(walk, execution), errors, waiting, walk.worked)

    def _delay(self, walk: Walk, execution: Execution) -> float:
        if not walk.waits or walk.errors:
            return self.options.sleep
        return pause(self.options.sleep, execution.waiting_runs) if walk.again_in is None else walk.again_in


def out_of_time(options: Options) -> ExecutionTimeout:
    within = "when it was abandoned" if options.timeout is None else f"within {options.timeout:g} seconds"
    return ExecutionTimeout(f"not converged {within}")


def event_of(outcome: Outcome) -> Event:
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
    clock: Clock = SYSTEM_CLOCK,
    stop: Stop | None = None,
    notify: Callable[[Event], None] | None = None,
) -> Outcome:
    """Do one run on the calling thread. After the deadline no call is made; `Executor` also leaves one that blocks.

    Args:
        plan: Any object with `create()`.
        execution: The state before it: `Execution()`, or what the outcome before carries.
        options: How the execution behaves; `parallelism` must be 1.
        clock: What it reads: `execloop.testing.FakeClock` in tests.
        stop: Ends the run at the next task boundary, from any thread.
        notify: Called with each event.

    Returns:
        How it ended, with the state after it. The caller sleeps for `Again.delay`, and calls again.

    Raises:
        TypeError: The plan or a task is asynchronous: use `astep`.
        ValueError: `parallelism` is more than 1: use `astep`.

    >>> step(ScriptedPlan(["open the door"]), Execution(), Options()).delay
    1.0

    """
    if options.parallelism > 1:
        raise ValueError("step() attempts one task at a time: use astep() for a parallelism of more than 1")
    run = Run(plan, execution, options, clock=clock, stop=stop, notify=notify, awaits=False)
    with run.alarmed():
        run.blocking()
    return run.finish()


async def astep(
    plan: Plan,
    execution: Execution,
    options: Options,
    *,
    clock: Clock = SYSTEM_CLOCK,
    stop: Stop | None = None,
    notify: Callable[[Event], None] | None = None,
    threads: Threads = SHARED,
) -> Outcome:
    """Do one run on the running event loop.

    Args:
        plan: Any object with `create()`, sync or async.
        execution: The state before it: `Execution()`, or what the outcome before carries.
        options: How the execution behaves.
        clock: What it reads: `execloop.testing.FakeClock` in tests.
        stop: Ends the run at the next task boundary, from any thread.
        notify: Called with each event.
        threads: Where what blocks is called.

    Returns:
        How it ended, with the state after it. The caller sleeps for `Again.delay`, and calls again.

    >>> asyncio.run(astep(ScriptedPlan(), Execution(), Options())).execution.runs
    1

    """
    run = Run(plan, execution, options, clock=clock, stop=stop, notify=notify)
    await run.on_loop(threads)
    return run.finish()
