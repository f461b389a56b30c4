"""Observe or drive plan code for one reconcile. How that ends is a frozen value.

`ExecutionDriver` calls it. It owns the context that a plan gets, and the writes of progress.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from execloop._engine.execution import Again, Converged, Execution, Failed, Interrupted
from execloop._engine.run import out_of_time
from execloop._engine.tasks import needs_approval
from execloop._plans.context import Context, Version, connected
from execloop.controller.plancode.construction import DeferredPlan, deferred
from execloop.controller.plancode.logger import PlanLogger
from execloop.controller.plancode.runner import (
    NextLook,
    Nothing,
    Observed,
    Postponed,
    Prepared,
    Refused,
    RunResult,
    TasksLeft,
    drive,
    observe,
)
from execloop.controller.reconcile.execution import executions, kept
from execloop.controller.reconcile.execution.kept import changes
from execloop.controller.reconcile.execution.progress import QUICK, ProgressWrites
from execloop.controller.reconcile.inputs.validation import explain
from execloop.controller.reconcile.preview import asks
from execloop.controller.reconcile.standstill import progressing
from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.events import Event
    from execloop._engine.run import Run
    from execloop._engine.tasks import AnyTask
    from execloop.controller.plancode.clients import Clients
    from execloop.controller.plancode.crashes.suspects import PlanCrashes
    from execloop.controller.plancode.host import PlanHost
    from execloop.controller.reconcile.approval import TaskApproval
    from execloop.controller.reconcile.commit import Commit
    from execloop.controller.reconcile.context import ReconcileContext
    from execloop.controller.reconcile.execution.audience import Audience
    from execloop.controller.timing import Times
    from execloop.controller.watch.cache import Key

    Refusal = Callable[[Key, str, str], PlanCrashes | None]

__all__ = ["Runs"]


class Runs:
    """`declare(key, uid, plan)` learns of each plan that was made, in whatever thread; `ran` of each run.

    `refusal(key, uid, inputs)` is asked before plan code begins, and returns what keeps it from that; `returned(key,
    tasks)` learns, in whatever thread, how many tasks it returned. `version` says how the drift watch knows an object.
    `audience` follows the runs; without one they make no events.
    """

    def __init__(
        self,
        code: PlanHost,
        clients: Clients,
        commit: Commit,
        times: Times,
        declare: Callable[[Key, str, object], None],
        ran: Callable[[RunResult], None],
        refusal: Refusal,
        returned: Callable[[Key, int], None],
        version: Version,
        audience: Audience | None,
    ) -> None:
        self._code, self._clients, self._commit, self._times = code, clients, commit, times
        self._declare, self._ran, self._version = declare, ran, version
        self._refusal, self._returned, self._audience = refusal, returned, audience

    async def observe(self, ctx: ReconcileContext) -> Observed:
        """Ask the plan, and run nothing; after the deadline of an execution under way it is not asked."""
        if ctx.execution.finished_at is None and self._is_late(ctx):
            return Failed(self._state(ctx), out_of_time(ctx.options))
        if (blocked := self._blocked(ctx)) is not None:
            return blocked
        ctx.work.state.observing()
        plan, state = self._deferred_plan(ctx), self._state(ctx)
        if ctx.execution.finished_at is not None:  # no deadline holds at rest
            return await observe(self._code, ctx.key, plan, state, asks=_asked(ctx))
        return await observe(self._code, ctx.key, plan, state, ctx.options, left=self._left(ctx), asks=_asked(ctx))

    async def attempt(
        self, ctx: ReconcileContext, observed: Observed | None = None, task_approval: TaskApproval | None = None
    ) -> RunResult:
        """Do one run, of what was observed already or of what the plan is about to ask for. Raises ApiError.

        `task_approval` withholds the tasks that need an approval of their own.
        """
        ran = await self._attempt(ctx, observed, task_approval)
        if task_approval is not None:
            ran = ran._replace(withheld=tuple(task_approval.withheld), covered=tuple(task_approval.covered))
        self._report(ctx, ran)
        return self._converged(ctx, ran) if isinstance(ran.looked, Nothing) else ran

    def _converged(self, ctx: ReconcileContext, ran: RunResult) -> RunResult:
        """Return a run after which nothing is left as the run that found so."""
        assert isinstance(ran.outcome, Again)
        found = RunResult(Converged(ran.outcome.execution.after_run(0)))
        self._report(ctx, found)
        return found

    def _report(self, ctx: ReconcileContext, ran: RunResult) -> None:
        self._ran(ran)
        if self._audience is not None and not isinstance(ran.outcome, Postponed | Refused):
            self._audience.ended(ctx.snapshot.uid, ctx.execution.id, ctx.resolved.redactor, ran.outcome)

    async def _attempt(  # noqa: PLR0911 - one return for each way to end early
        self, ctx: ReconcileContext, observed: Observed | None, task_approval: TaskApproval | None
    ) -> RunResult:
        if self._is_late(ctx):
            return RunResult(Failed(self._state(ctx), out_of_time(ctx.options)))
        if observed is None and not _reads_as_done(ctx):
            if (blocked := self._blocked(ctx)) is not None:
                return RunResult(blocked)
            return await self._drive(ctx, self._deferred_plan(ctx), task_approval)
        match observed or await self.observe(ctx):
            case Nothing():
                return RunResult(Converged(self._state(ctx).after_run(0)))
            case TasksLeft(tasks, waits, _):
                if _reads_as_done(ctx) and not await self._commit.write(ctx.work, progressing(ctx, 0, None)):
                    return RunResult(Interrupted(self._state(ctx)))
                return await self._drive(ctx, Prepared(ctx.validated.definition.name, tasks, waits), task_approval)
            case ended:
                return RunResult(ended)

    def _is_late(self, ctx: ReconcileContext) -> bool:
        return executions.is_time_over(ctx.execution, ctx.options.timeout, ctx.now)

    def _blocked(self, ctx: ReconcileContext) -> Interrupted | Failed | None:
        """Return why no plan code may begin now; None when it may."""
        if ctx.work.stop.requested:
            return Interrupted(self._state(ctx))
        refusal = self._refusal(ctx.key, ctx.snapshot.uid, ctx.run_inputs)
        return None if refusal is None else Failed(self._state(ctx), refusal)

    def _state(self, ctx: ReconcileContext) -> Execution:
        """Return the execution as the engine sees it: a pause that lasts counts as one."""
        return executions.engine_state(executions.resumed(ctx.execution, ctx.now))

    def _left(self, ctx: ReconcileContext) -> float | None:
        timeout = ctx.options.timeout
        return None if timeout is None else max(0.0, self._state(ctx).deadline(timeout) - ctx.now)

    def _deferred_plan(self, ctx: ReconcileContext) -> DeferredPlan:
        key, uid, account = ctx.key, ctx.snapshot.uid, ctx.validated.account
        context = Context(
            name=key.name,
            namespace=key.namespace,
            uid=uid,
            generation=ctx.snapshot.generation,
            logger=PlanLogger(key, ctx.resolved.redactor),
            execution=self._state(ctx),
            retry=executions.asked(ctx.execution, "retry"),
            skip=executions.asked(ctx.execution, "skip"),
            state={} if ctx.snapshot.status.kept is None else copy.deepcopy(ctx.snapshot.status.kept),
            inventory=kept.inventory_of(ctx),
            limits=ctx.validated.limits,
            memory=ctx.work.state.memory,
            missing_sources=ctx.resolved.absent,
            plans=ctx.validated.plans,
        )
        ctx.work.made(context)
        kube = partial(self._clients.kube, key, uid, account, ctx.validated.reach)
        context = connected(context, kube, partial(self._clients.official, key.namespace, account), self._version)
        definition, parameters = ctx.validated.definition, ctx.resolved.parameters
        explained = partial(explain, definition, closed=ctx.resolved.closed)
        declare = partial(self._declare, key, uid)
        # Neither a teardown nor what was done with these inputs is undone by a name that a newer rule refuses.
        lenient = ctx.teardown or ctx.execution.finished_at is not None
        made = partial(deferred, definition, parameters, context, explained, declare)
        return made(returned=partial(self._returned, key), teardown=ctx.teardown, lenient=lenient)

    async def _drive(
        self, ctx: ReconcileContext, plan: DeferredPlan | Prepared, task_approval: TaskApproval | None
    ) -> RunResult:
        """Drive a run, and write its progress at intervals; the first error brings a write forward."""
        state, left = ctx.work.state, self._left(ctx)
        if isinstance(plan, DeferredPlan):
            state.observing()
        then = self._then(ctx, task_approval)
        progress = ProgressWrites(lambda: _progress_due(ctx, run), lambda: self._write_progress(ctx, run))
        run, coroutine = drive(
            self._code,
            ctx.key,
            plan,
            self._state(ctx),
            ctx.options,
            ctx.work.stop,
            left=left,
            failed=progress.failed,
            notify=self._listener(ctx),
            withhold=task_approval,
            then=then,
        )
        try:
            outcome = await coroutine
        except BaseException:
            progress.cancel()
            raise
        await progress.end()
        return _ended(ctx, run, outcome)._replace(looked=None if then is None else then.found)

    def _listener(self, ctx: ReconcileContext) -> Callable[[Event], None] | None:
        if self._audience is None:
            return None
        return self._audience.listener(ctx.snapshot.uid, ctx.execution.id, ctx.resolved.redactor)

    def _then(self, ctx: ReconcileContext, task_approval: TaskApproval | None) -> NextLook | None:
        """Return how the plan is asked again after a run; None with a pause between them."""
        definition = ctx.validated.definition
        asynchronous = definition.teardown_asynchronous if ctx.teardown else definition.asynchronous
        if ctx.options.sleep or (asynchronous and not definition.quick):
            return None
        return NextLook(partial(self._next_look, ctx, task_approval), _asked(ctx), asynchronous)

    def _next_look(
        self, ctx: ReconcileContext, task_approval: TaskApproval | None, run: Run
    ) -> tuple[DeferredPlan, Execution] | None:
        """Return the plan to ask after a run; None where the next run would do something else before its tasks."""
        outcome, made = run.settle(), ctx.work.plan_context
        if made is None or changes(ctx) or (task_approval is not None and task_approval.withheld):
            return None
        match outcome:
            case Again(execution, failed=0, waiting=()):
                state = ctx.work.state
                state.recover(done=not made.inventory.recover)
                state.observing()
                after = ctx.with_status(execution=executions.taken_back(ctx.execution, execution))
                return self._deferred_plan(after), execution
            case _:
                return None

    async def _write_progress(self, ctx: ReconcileContext, run: Run) -> None:
        with suppress(ApiError):  # the next write says it; the work continues
            shown = kept.with_inventory(ctx)
            await self._commit.write(ctx.work, progressing(shown, _errors(run), _progress(run)))
        ctx.work.state.progress_written()


def _progress_due(ctx: ReconcileContext, run: Run) -> float:
    """Return the seconds until progress is written; a run that waits for a worker has made none."""
    return ctx.work.state.progress_wait(ctx.execution.started_at.timestamp()) if run.begun else QUICK


def _ended(ctx: ReconcileContext, run: Run, outcome: Any) -> RunResult:
    walk, redactor = run.walk, ctx.resolved.redactor
    if walk is None or isinstance(outcome, Refused):
        return RunResult(outcome)
    last = walk.records[-1] if walk.records else None
    shown = None if last is None else f"{redactor.text(f'{last.path} {last.phase}')}: {redactor.error(last.exception)}"
    names = ctx.names(outcome.worked) if isinstance(outcome, Again) else ()
    return RunResult(outcome, names, shown, walk.count, walk.errors)


def _reads_as_done(ctx: ReconcileContext) -> bool:
    """Return whether who reads the stored status would believe that no work is under way, or that none may be."""
    stored, approval = ctx.snapshot.stored, ctx.execution.approval
    at_rest = stored.observed_generation == ctx.snapshot.generation and stored.condition("Reconciling") is None
    paused = stored.execution is not None and stored.execution.paused_since is not None
    unapproved = approval is not None and (stored.execution is None or stored.execution.approval != approval)
    return (stored.pending is not None and paused) or unapproved or at_rest


def _asked(ctx: ReconcileContext) -> Callable[[AnyTask], bool]:
    """Return which tasks are read: all of them where a person reads them, else those that need an approval."""
    every = ctx.spec.approval == "Manual" or ctx.spec.mode == "Preview" or asks(ctx)
    return (lambda _: True) if every else needs_approval


def _errors(run: Run) -> int:
    return 0 if run.walk is None else run.walk.errors


def _progress(run: Run) -> str | None:
    """Return the tasks that are done, of those known so far."""
    walk: Any = run.walk
    return None if walk is None else f"{max(walk.count - 1, 0)}/{walk.known}"
