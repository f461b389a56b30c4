"""Drive a plan until it converges, with a fake clock, and say what was still pending when it does not."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

from execloop._engine.errors import ExecloopError
from execloop._engine.events import Ledger, Listener, Report, RunStarted, notifier
from execloop._engine.execution import Again, Converged, CreateFailed, Execution, Failed, Interrupted
from execloop._engine.options import Options
from execloop._engine.returned import Taken, take_created
from execloop._engine.run import Run
from execloop._engine.waits import Wait
from execloop.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from execloop._engine.events import Event
    from execloop._engine.plan import Plan

__all__ = ["Convergence", "aconverge", "assert_idempotent", "converge", "drive"]

NAMES_SHOWN = 20
ERRORS_SHOWN = 5


class Convergence:
    """The runs of one execution, at most `within`: iterate over it and drive each `Run` it yields.

    Raises what an executor would raise, and AssertionError when the plan has not converged by then.
    """

    def __init__(
        self,
        plan: Plan,
        within: int,
        options: Options,
        *,
        clock: FakeClock | None = None,
        listeners: Iterable[Listener] = (),
    ) -> None:
        if isinstance(within, bool) or not isinstance(within, int) or within < 1:
            raise ValueError(f"within must be a whole number of runs >= 1, not {within!r}")
        self.plan, self.within, self.options = plan, within, options
        self.clock = clock or FakeClock()
        self._notify = notifier((self._remember, *listeners))
        self._ledger = Ledger()
        self._started = self.clock.monotonic()
        self._asked: tuple[str, ...] = ()
        self._waiting: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        """Return what was done until now."""
        return self._ledger.report(self.clock.monotonic() - self._started)

    def __iter__(self) -> Iterator[Run]:
        execution = Execution(started_at=self.clock.now())
        for _ in range(self.within):
            run = Run(self.plan, execution, self.options, clock=self.clock, notify=self._notify)
            with run.alarmed():
                yield run
            outcome = run.finish()
            run.add_to(self._ledger)
            match outcome:
                case Again(execution, delay):
                    self._waiting = outcome.waiting
                    self.clock.sleep(delay, threading.Event())
                case CreateFailed(_, error) | Failed(_, error):
                    if isinstance(error, ExecloopError):
                        error.report = self.report
                    raise error
                case Converged() | Interrupted():
                    return
        raise AssertionError(self._pending())

    def _remember(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._asked = event.tasks

    def _pending(self) -> str:
        lines = [f"not converged within {self.within} runs; the last one still asked for {_listed(self._asked)}"]
        lines += (f"it waits: {message}" for message in self._waiting)
        if count := self._ledger.error_count:
            lines.append(f"{count} errors, the last of them:")
            lines += (f"  {record}" for record in list(self._ledger.errors)[-ERRORS_SHOWN:])
        return "\n".join(lines)


def _listed(names: tuple[object, ...]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return (", ".join(map(repr, names[:NAMES_SHOWN])) or "no task") + more


def drive(run: Run, runner: asyncio.Runner) -> None:
    """Blocking code on this thread as far as it goes, the rest on the runner's event loop."""
    if not run.blocking():
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            runner.run(run.on_loop())
        else:
            raise TypeError("the plan has asynchronous code: in a running event loop, await aconverge() instead")


def converge(
    plan: Plan, within: int = 10, *, clock: FakeClock | None = None, listeners: Iterable[Listener] = (), **options: Any
) -> Report:
    """Run a plan, sync or async, until it converges; no real time passes between its runs.

    `within` counts runs as `Report.runs` does: the last one, which finds nothing to do, is one of them. `options` are
    those of `execloop.run`. Raises AssertionError with what was still pending, else what `execloop.run` raises.
    """
    convergence = Convergence(plan, within, Options(**options), clock=clock, listeners=listeners)
    with closing(asyncio.Runner()) as runner:  # which makes its loop when first needed
        for run in convergence:
            drive(run, runner)
    return convergence.report


async def aconverge(
    plan: Plan, within: int = 10, *, clock: FakeClock | None = None, listeners: Iterable[Listener] = (), **options: Any
) -> Report:
    """`converge` on the running event loop."""
    convergence = Convergence(plan, within, Options(**options), clock=clock, listeners=listeners)
    for run in convergence:
        if not run.blocking():
            await run.on_loop()
    return convergence.report


def assert_idempotent(plan: Plan, within: int = 10, *, clock: FakeClock | None = None, **options: Any) -> Report:
    """Converge, then ask again: a plan that has converged needs no task, however often it is asked."""
    report = converge(plan, within, clock=clock, **options)
    tasks, _, waits = asyncio.run(_ask(plan))
    if left := (*(task.name for task in tasks), *waits):
        raise AssertionError(f"converged after {report.runs} runs, but asked again it still needs {_listed(left)}")
    return report


async def _ask(plan: Plan) -> Taken:
    try:
        created: Any = plan.create()
        return take_created(await created if inspect.isawaitable(created) else created, lambda: "create()")
    except Wait as wait:
        return Taken(waits=(wait,))
