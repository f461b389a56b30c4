"""The loop: run, wait, ask again, until converged. One driver for plain callers, one for `async` ones."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from execloop.clock import SystemClock
from execloop.errors import ExecloopError, ExecutionTimeout
from execloop.events import GaveUp, Ledger, Listener, Report, notifier
from execloop.execution import Again, Converged, CreateFailed, Execution, Failed, Interrupted
from execloop.options import Options
from execloop.run import Run
from execloop.threads import Threads
from execloop.walk import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from execloop.clock import Clock
    from execloop.plans import Plan

__all__ = ["Executor", "arun", "run"]


class Executor:
    """Drives a plan until it converges. Each `run` or `arun` is an execution of its own, with a budget of its own.

    `report` says at any moment, from any thread, what the last execution has done so far.
    """

    def __init__(
        self, options: Options | None = None, *, listeners: Iterable[Listener] = (), clock: Clock | None = None
    ) -> None:
        self.options = options or Options()
        self.clock: Clock = clock or SystemClock()
        self._notify = notifier(listeners)
        self._threads = Threads()
        self._begin()

    def _begin(self) -> None:
        self.execution = Execution()
        self._ledger = Ledger()
        self._current: Run | None = None
        self._started = self.clock.monotonic()
        self._ended: float | None = None
        self._stop = Stop()
        self._wake: Callable[[], object] = int

    @property
    def report(self) -> Report:
        ledger, current = self._ledger, self._current
        if current is not None:
            ledger = replace(ledger, errors=copy.copy(ledger.errors))
            current.book(ledger)
        return ledger.report((self.clock.monotonic() if self._ended is None else self._ended) - self._started)

    def stop(self) -> None:
        """Ask the execution to end at its next task boundary; it then returns its report. From any thread."""
        self._stop.request()
        self._wake()

    def run(self, plan: Plan) -> Report:
        """Drive a plan on this thread, or, where a deadline needs it, on one of its own while this one waits.

        Raises what `create()` raised, `FatalError` (`ToleranceExceeded` among them), `ExecutionTimeout`; and TypeError
        for asynchronous plan code and for what is not a task.
        """
        self._begin()
        timeout, parallel = self.options.timeout, self.options.parallelism > 1
        if timeout is None and not parallel:
            self._plain_loop(plan)
            return self._end()
        escaped: list[BaseException] = []
        context = contextvars.copy_context()

        def work() -> None:
            try:
                if parallel:
                    context.run(asyncio.run, self._loop(plan, awaits=False))
                else:
                    context.run(self._plain_loop, plan)
            except BaseException as error:  # noqa: BLE001 - it is the caller's to see
                escaped.append(error)

        if not self.clock.run_until(math.inf if timeout is None else timeout, work, self._abandon):
            raise self._timed_out()
        if escaped:
            raise escaped[0]
        return self._end()

    async def arun(self, plan: Plan) -> Report:
        """Drive a plan on the running event loop, sync or async code alike; blocking calls are made in threads.

        Raises as `run` does.
        """
        self._begin()
        await self._loop(plan, awaits=True)
        return self._end()

    def _plain_loop(self, plan: Plan) -> None:
        wake = threading.Event()
        self._wake = wake.set
        while True:
            run = self._next_run(plan, awaits=False)
            run.blocking()
            if (delay := self._conclude(run)) is None:
                return
            self.clock.sleep(delay, wake)

    async def _loop(self, plan: Plan, *, awaits: bool) -> None:
        wake, loop = asyncio.Event(), asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(wake.set)
        while True:
            run = self._next_run(plan, awaits=awaits)
            await run.on_loop(self._threads)
            if (delay := self._conclude(run)) is None:
                return
            await self.clock.asleep(delay, wake)

    def _next_run(self, plan: Plan, *, awaits: bool) -> Run:
        notify = None if self._stop.expired else self._notify
        self._current = run = Run(
            plan, self.execution, self.options, clock=self.clock, stop=self._stop, notify=notify, awaits=awaits
        )
        return run

    def _conclude(self, run: Run) -> float | None:
        """Book a run: the seconds to sleep until the next, or None when the execution has ended well; else raises."""
        outcome = run.conclude()
        run.book(self._ledger)
        self.execution, self._current = outcome.execution, None
        match outcome:
            case Again(execution, delay):
                timeout = self.options.timeout
                return delay if timeout is None else max(0.0, min(delay, execution.deadline(timeout) - self.clock.now()))
            case CreateFailed(_, error) | Failed(_, error):
                raise self._with_report(error)
            case Converged() | Interrupted():
                return None

    def _abandon(self) -> None:
        self._stop.expire()
        self._wake()
        if self._current is not None:
            self._current.abandon()

    def _timed_out(self) -> Exception:
        error = ExecutionTimeout(f"not converged within {self.options.timeout:g} seconds")
        if self._notify:
            self._notify(GaveUp(self.execution, error))
        return self._with_report(error)

    def _with_report(self, error: Exception) -> Exception:
        report = self._end()
        if isinstance(error, ExecloopError):
            error.report = report
        return error

    def _end(self) -> Report:
        self._ended = self.clock.monotonic()
        return self.report


def _executor(
    sleep_between_runs: float | timedelta,
    errors_to_tolerate: int | None,
    execution_timeout: float | timedelta | None,
    parallelism: int,
    listeners: Iterable[Listener],
) -> Executor:
    return Executor(Options(sleep_between_runs, errors_to_tolerate, execution_timeout, parallelism), listeners=listeners)


def run(
    plan: Plan,
    *,
    sleep_between_runs: float | timedelta = 1.0,
    errors_to_tolerate: int | None = 5,
    execution_timeout: float | timedelta | None = 1200.0,
    parallelism: int = 1,
    listeners: Iterable[Listener] = (),
) -> Report:
    """Run the tasks that the plan still needs, wait, ask again, until none remain. Times are seconds or `timedelta`.

    Raises what `create()` raised, `FatalError` (`ToleranceExceeded` among them) or `ExecutionTimeout`.
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
    """`run` for async callers: plan code may be sync or async, and blocking calls are made in threads."""
    return await _executor(sleep_between_runs, errors_to_tolerate, execution_timeout, parallelism, listeners).arun(plan)
