"""Plan code asked and driven for a case; how that ends is a frozen value."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from execloop._engine.execution import Converged, Execution, Failed, Interrupted
from execloop._engine.run import out_of_time
from execloop._plans.context import Context, connected
from execloop.controller.plancode.logger import PlanLogger
from execloop.controller.plancode.runner import Nothing, Observed, Prepared, Ran, Work, drive, observe, unmade
from execloop.controller.reconcile import executions
from execloop.controller.reconcile.progress import ProgressInterval
from execloop.controller.status.conditions import has
from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.execution import Outcome
    from execloop._engine.plan import Plan
    from execloop._engine.run import Run
    from execloop._engine.walk import Stop
    from execloop.controller.api.v1alpha1 import ExecutionStatus
    from execloop.controller.plancode.clients import Clients
    from execloop.controller.plancode.host import PlanHost
    from execloop.controller.plancode.runner import Postponed
    from execloop.controller.reconcile.context import ReconcileContext
    from execloop.controller.reconcile.reporter import Reporter
    from execloop.controller.watch.cache import Key

__all__ = ["Runs"]


class Runs:
    """`declare(key, uid, plan)` is told of each plan that was made, from whatever thread made it; `ran` of each run.
    `stop` makes what can stop one.
    """

    def __init__(
        self,
        code: PlanHost,
        clients: Clients,
        reporter: Reporter,
        now: Callable[[], float],
        declare: Callable[[Key, str, object], None],
        stop: Callable[[], Stop],
        ran: Callable[[Ran], None],
    ) -> None:
        self._code, self._clients, self._reporter = code, clients, reporter
        self._now, self._declare, self._stop, self._ran = now, declare, stop, ran

    async def observe(self, case: ReconcileContext, execution: ExecutionStatus) -> Observed:
        """Ask the plan, and run nothing."""
        state, left = self._state(execution), case.options.timeout
        if left is not None and execution.finished_at is None:
            left = max(0.0, state.deadline(left) - self._now())
        try:
            async with asyncio.timeout(left):
                return await observe(self._code, case.key, self._unmade(case, state), state)
        except TimeoutError:
            return Failed(state, out_of_time(case.options))

    async def attempt(
        self, case: ReconcileContext, execution: ExecutionStatus, observed: Observed | None = None
    ) -> Ran:
        """One run, of what was observed already or of what the plan is about to ask for."""
        ran = await self._attempt(case, execution, observed)
        self._ran(ran)
        return ran

    async def _attempt(self, case: ReconcileContext, execution: ExecutionStatus, observed: Observed | None) -> Ran:
        state, timeout = self._state(execution), case.options.timeout
        if timeout is not None and self._now() >= state.deadline(timeout):
            return Ran(Failed(state, out_of_time(case.options)))
        if observed is None and not _misleading(case):
            return await self._drive(case, execution, self._unmade(case, state))
        match observed or await self.observe(case, execution):
            case Nothing():
                return Ran(Converged(state.after_run(0)))
            case Work(tasks, waits):
                if _misleading(case) and not await self._reporter.progress(case, execution, None):
                    return Ran(Interrupted(state))
                return await self._drive(case, execution, Prepared(case.validated.definition.name, tasks, waits))
            case ended:
                return Ran(ended)

    def _state(self, execution: ExecutionStatus) -> Execution:
        """What the engine sees of it: a pause that still lasts counts as one."""
        return executions.engine_state(executions.resumed(execution, self._now()))

    def _unmade(self, case: ReconcileContext, state: Execution) -> Plan:
        key, track, account = case.key, case.track, case.validated.account
        context = Context(
            name=key.name,
            namespace=key.namespace,
            uid=track.uid,
            generation=track.generation,
            logger=PlanLogger(key, case.resolved.redactor),
            execution=state,
        )
        kube = partial(self._clients.kube, key, track.uid, account, case.validated.reach)
        context = connected(context, kube, partial(self._clients.official, key.namespace, account))

        def make() -> Plan:
            plan = case.validated.definition.make(case.resolved.parameters, context)
            self._declare(key, track.uid, plan)
            return plan

        return unmade(case.validated.definition, make, teardown=case.teardown)

    async def _drive(self, case: ReconcileContext, execution: ExecutionStatus, plan: Plan) -> Ran:
        """Drive a run, and write its progress now and then."""
        stop, pace = self._stop(), ProgressInterval(execution.started_at.timestamp(), self._now)
        run, coroutine = drive(self._code, case.key, plan, self._state(execution), case.options, stop)
        driving = asyncio.create_task(coroutine)
        case.track.stop = stop
        try:
            while not driving.done():
                await asyncio.wait({driving}, timeout=pace.next())
                if not driving.done():
                    with suppress(ApiError):  # the next one tells it; the work goes on
                        await self._reporter.progress(case, execution, _done(run))
            return _ran(case, run, await driving)
        finally:
            driving.cancel()
            case.track.stop = None


def _ran(case: ReconcileContext, run: Run, outcome: Outcome | Postponed) -> Ran:
    walk, redactor = run.walk, case.resolved.redactor
    if walk is None:
        return Ran(outcome)
    last = walk.records[-1] if walk.records else None
    told = None if last is None else f"{redactor.text(f'{last.path} {last.phase}')}: {redactor.error(last.exception)}"
    return Ran(outcome, case.names(walk.tasks), told, walk.count, walk.errors)


def _misleading(case: ReconcileContext) -> bool:
    """Whether somebody who reads the status would believe that no work goes on."""
    status = case.track.status
    awaiting = status.pending is not None
    return awaiting or (status.observed_generation == case.track.generation and not has(status, "Reconciling"))


def _done(run: Run) -> str | None:
    """Tasks that are done, of those known so far."""
    walk: Any = run.walk
    return None if walk is None else f"{max(walk.count - 1, 0)}/{walk.known}"
