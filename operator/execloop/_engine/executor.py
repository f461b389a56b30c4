"""The loop of `run()` and `arun()`: run, wait, ask again, until the plan has converged.

The library and the command use it. The operator has a loop of its own, in its reconciles.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import math
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from execloop._engine.errors import ExecloopError
from execloop._engine.events import Ledger, Listener, Report, notifier
from execloop._engine.execution import Again, CreateFailed, Execution, Failed
from execloop._engine.options import Options
from execloop._engine.run import Run, event_of, out_of_time
from execloop._engine.runtime.clock import SYSTEM_CLOCK
from execloop._engine.walk import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from execloop._engine.execution import Outcome
    from execloop._engine.plan import Plan
    from execloop._engine.runtime.clock import Clock

__all__ = ["Executor", "arun", "run"]


class Executor:
    """Drives a plan until it converges. Each `run` or `arun` is an execution of its own, with a budget of its own.

    Args:
        options: How it behaves; the defaults of `Options` when there are none.
        listeners: Called with each event, one after another, where the work is done.
        clock: What it reads and sleeps by: `execloop.testing.FakeClock` in tests.

    Raises:
        TypeError: An argument is not what it should be.

    >>> executor = Executor(Options(errors_to_tolerate=0))
    >>> executor.run(ScriptedPlan()).runs
    1

    """

    def __init__(
        self, options: Options | None = None, *, listeners: Iterable[Listener] = (), clock: Clock | None = None
    ) -> None:
        if options is not None and not isinstance(options, Options):
            raise TypeError(f"options must be an Options, not {options!r}")
        self.options = options or Options()
        self.clock: Clock = clock or SYSTEM_CLOCK
        self._notify = notifier(listeners)
        self._session = _Session(self, Execution())
        self._session.close()

    @property
    def execution(self) -> Execution:
        """The state of the last execution, of this moment; may be read from any thread."""
        return self._session.execution

    @property
    def report(self) -> Report:
        """What the last execution has done so far; may be read from any thread."""
        return self._session.report

    def stop(self) -> None:
        """Ask the execution to end at its next task boundary; it then returns its report. From any thread."""
        self._session.stop.request()
        self._session.wake()

    def run(self, plan: Plan, *, execution: Execution | None = None) -> Report:
        """Drive a plan on this thread, or, where a deadline needs it, on one of its own while this one waits.

        Args:
            plan: Any object with `create()`.
            execution: One that was stopped, to continue: its errors and its deadline still count.

        Raises:
            FatalError: A task raised it, or (`ToleranceExceeded`) there was one error more than is tolerated.
            ExecutionTimeout: The deadline fell.
            TypeError: The plan's code is asynchronous, or returned what is not a task.
            RuntimeError: This executor is driving a plan already.
            Exception: What `create()` raised, as it is.

        """
        session = self._start(execution)
        try:
            if self.options.timeout is None and self.options.parallelism == 1:
                session.loop(plan)
            else:
                session.supervise(plan)
            return session.result()
        finally:
            session.close()

    async def arun(self, plan: Plan, *, execution: Execution | None = None) -> Report:
        """Drive a plan on the running event loop, sync or async code alike; blocking calls are made in threads.

        Args:
            plan: Any object with `create()`.
            execution: One that was stopped, to continue: its errors and its deadline still count.

        Raises:
            FatalError: A task raised it, or (`ToleranceExceeded`) there was one error more than is tolerated.
            ExecutionTimeout: The deadline fell.
            TypeError: The plan's code returned what is not a task.
            RuntimeError: This executor is driving a plan already.
            Exception: What `create()` raised, as it is.

        """
        session = self._start(execution)
        try:
            await session.aloop(plan, awaits=True)
            return session.result()
        finally:
            session.close()

    def _start(self, execution: Execution | None) -> _Session:
        if self._session.ended is None:
            raise RuntimeError("this executor is driving a plan already: make an executor for each")
        if execution is not None and not isinstance(execution, Execution):
            raise TypeError(f"execution must be an Execution, not {execution!r}")
        self._session = session = _Session(self, execution or Execution())
        return session


def _no_sleeper() -> None:
    """Wake nothing: the session has not slept yet."""


class _Session:
    """One execution while it is driven. A thread that its caller no longer waits for may outlive it, and is ignored."""

    def __init__(self, executor: Executor, execution: Execution) -> None:
        self.options, self.clock, self._notify = executor.options, executor.clock, executor._notify  # noqa: SLF001 - one module
        self.execution = execution
        self.stop = Stop()
        self.wake: Callable[[], object] = _no_sleeper
        self.ended: float | None = None
        self._outcome: Outcome | None = None
        self._begun = self.clock.monotonic()
        self._left = math.inf
        """Seconds to the deadline. Reckoned once: wall clocks jump."""
        if (timeout := self.options.timeout) is not None:
            left = timeout if execution.started_at is None else execution.deadline(timeout) - self.clock.now()
            self._left = max(0.0, left)
        self._ledger = Ledger()
        self._run: Run | None = None
        self._lock = threading.RLock()

    @property
    def report(self) -> Report:
        with self._lock:
            kept = self._ledger
            ledger = replace(kept, errors=copy.copy(kept.errors), waits=copy.copy(kept.waits))
            if self._run is not None:
                self._run.add_to(ledger)
        return ledger.report((self.clock.monotonic() if self.ended is None else self.ended) - self._begun)

    def result(self) -> Report:
        """The report of an execution that ended well; else raises its error."""
        self.close()
        match self._outcome:
            case CreateFailed(_, error) | Failed(_, error):
                if isinstance(error, ExecloopError):
                    error.report = self.report
                raise error
            case _:
                return self.report

    def close(self) -> None:
        """From here on nothing counts any more. What an interrupted run did until now does."""
        with self._lock:
            if self.ended is None:
                if self._run is not None:
                    self._record(self._run, self._run.settle())
                self.ended = self.clock.monotonic()

    def loop(self, plan: Plan) -> None:
        wake = threading.Event()
        self.wake = wake.set
        while True:
            run = self._next_run(plan, awaits=False)
            run.blocking()
            if (delay := self._pause_after(run)) is None:
                return
            self.clock.sleep(delay, wake)

    async def aloop(self, plan: Plan, *, awaits: bool) -> None:
        wake, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake_up() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(wake.set)

        self.wake = wake_up
        while True:
            run = self._next_run(plan, awaits=awaits)
            await run.on_loop()
            if (delay := self._pause_after(run)) is None:
                return
            await self.clock.asleep(delay, wake)

    def supervise(self, plan: Plan) -> None:
        """Loop in a thread, and leave it to itself at the deadline."""
        escaped: list[BaseException] = []
        context = contextvars.copy_context()

        def work() -> None:
            try:
                if self.options.parallelism > 1:
                    context.run(asyncio.run, self.aloop(plan, awaits=False))
                else:
                    context.run(self.loop, plan)
            except BaseException as error:  # noqa: BLE001 - it is the caller's to see
                escaped.append(error)

        if not self.clock.run_until(self._left, work, self._abandon):
            self._give_up()
        if escaped:
            raise escaped[0]

    def _next_run(self, plan: Plan, *, awaits: bool) -> Run:
        deadline = None if self.options.timeout is None else self._begun + self._left
        run = Run(
            plan,
            self.execution,
            self.options,
            clock=self.clock,
            stop=self.stop,
            notify=self._notify,
            awaits=awaits,
            deadline=deadline,
        )
        self._run = run
        return run

    def _pause_after(self, run: Run) -> float | None:
        """Book a run: the seconds to sleep until the next, or None when the execution is over."""
        if not self._record(run, run.settle()):
            return None
        match run.finish():
            case Again(_, delay):
                return max(0.0, min(delay, self._begun + self._left - self.clock.monotonic()))
            case _:
                return None

    def _record(self, run: Run | None, outcome: Outcome) -> bool:
        """False when the execution has ended already: the first caller decides how."""
        with self._lock:
            if self.ended is not None or self._outcome is not None:
                return False
            if run is not None:
                run.add_to(self._ledger)
            self._run = None
            self.execution = outcome.execution
            if not isinstance(outcome, Again):
                self._outcome = outcome
            return True

    def _abandon(self) -> None:
        self.stop.expire()
        self.wake()
        if (run := self._run) is not None:
            run.abandon()

    def _give_up(self) -> None:
        """The deadline fell while the thread was at work, or asleep."""
        run = self._run
        outcome = Again(self.execution, 0.0) if run is None else run.settle()
        if isinstance(outcome, Again):
            outcome = Failed(outcome.execution, out_of_time(self.options))
        if self._record(run, outcome) and self._notify:
            self._notify(event_of(outcome))


def _executor(
    sleep_between_runs: float | timedelta,
    errors_to_tolerate: int | None,
    execution_timeout: float | timedelta | None,
    parallelism: int,
    listeners: Iterable[Listener],
) -> Executor:
    options = Options(sleep_between_runs, errors_to_tolerate, execution_timeout, parallelism)
    return Executor(options, listeners=listeners)


def run(
    plan: Plan,
    *,
    sleep_between_runs: float | timedelta = 1.0,
    errors_to_tolerate: int | None = 5,
    execution_timeout: float | timedelta | None = 1200.0,
    parallelism: int = 1,
    listeners: Iterable[Listener] = (),
) -> Report:
    """Run the tasks that the plan still needs, wait, ask again, until none remain.

    Args:
        plan: Any object with `create()`.
        sleep_between_runs: Seconds, or a `timedelta`.
        errors_to_tolerate: How many errors the execution survives; None for any number.
        execution_timeout: Seconds, or a `timedelta`, for all runs together; None for no limit.
        parallelism: How many tasks may run at one moment.
        listeners: Called with each event, one after another, where the work is done.

    Returns:
        What was done. The errors below carry it as `report`.

    Raises:
        FatalError: A task raised it, or (`ToleranceExceeded`) there was one error more than is tolerated.
        ExecutionTimeout: The deadline fell.
        TypeError: The plan's code is asynchronous, or returned what is not a task; or an argument is of another type.
        ValueError: An argument is out of its range.
        Exception: What `create()` raised, as it is.

    >>> run(ScriptedPlan(["open the door"]), sleep_between_runs=0).tasks
    1

    """
    return _executor(sleep_between_runs, errors_to_tolerate, execution_timeout, parallelism, listeners).run(plan)


async def arun(
    plan: Plan,
    *,
    sleep_between_runs: float | timedelta = 1.0,
    errors_to_tolerate: int | None = 5,
    execution_timeout: float | timedelta | None = 1200.0,
    parallelism: int = 1,
    listeners: Iterable[Listener] = (),
) -> Report:
    """Do what `run` does on the running event loop: plan code may be sync or async.

    Args:
        plan: Any object with `create()`. What of it blocks is called in threads.
        sleep_between_runs: Seconds, or a `timedelta`.
        errors_to_tolerate: How many errors the execution survives; None for any number.
        execution_timeout: Seconds, or a `timedelta`, for all runs together; None for no limit.
        parallelism: How many tasks may run at one moment.
        listeners: Called with each event, one after another, where the work is done.

    Returns:
        What was done. The errors that the engine raises carry it as `report`.

    Raises:
        FatalError: A task raised it, or (`ToleranceExceeded`) there was one error more than is tolerated.
        ExecutionTimeout: The deadline fell.
        TypeError: The plan's code returned what is not a task, or an argument is of another type.
        ValueError: An argument is out of its range.
        Exception: What `create()` raised, as it is.

    >>> asyncio.run(arun(ScriptedPlan(["open the door"]), sleep_between_runs=0)).tasks
    1

    """
    return await _executor(sleep_between_runs, errors_to_tolerate, execution_timeout, parallelism, listeners).arun(plan)
