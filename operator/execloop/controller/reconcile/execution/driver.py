"""Continue the execution at hand: wait until it is due, ask for an approval, observe or run.

`Reconciler` and `Teardown` share one `ExecutionDriver`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from execloop._engine.execution import Again, CreateFailed, Interrupted
from execloop.controller.plancode.runner import Nothing, Postponed, Refused, RunResult, TasksLeft
from execloop.controller.reconcile.approval import TaskApproval, Withheld, decide, pending, uncovered
from execloop.controller.reconcile.commit import AT_ONCE, Decision, LookAfter, RunAfter
from execloop.controller.reconcile.execution import executions
from execloop.controller.reconcile.execution.kept import keeping, keeps_more
from execloop.controller.reconcile.execution.outcome import decision_of, next_observation
from execloop.controller.reconcile.preview import answer
from execloop.controller.reconcile.standstill import also_asking, awaiting_approval, previewed, refused, settled
from execloop.controller.status.conditions import Stalled
from execloop.controller.status.events import approved
from execloop.controller.timing import backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from execloop.controller.api.v1alpha1 import Pending, PlanStatus
    from execloop.controller.plancode.runner import Observed
    from execloop.controller.reconcile.approval import Granted
    from execloop.controller.reconcile.commit import Commit
    from execloop.controller.reconcile.context import ReconcileContext
    from execloop.controller.reconcile.execution.runs import Runs
    from execloop.controller.status.events import EventRecorder
    from execloop.controller.timing import Times

    AfterRun = Callable[[ReconcileContext, RunResult], Awaitable[Decision | None]]

__all__ = ["ExecutionDriver"]

_LONGEST_WAIT = 30.0


class ExecutionDriver:
    """Drives the execution at hand of a Plan, or of its teardown: `after_run` is what they do not share."""

    def __init__(self, runs: Runs, commit: Commit, recorder: EventRecorder, times: Times) -> None:
        self._runs, self._commit, self._recorder = runs, commit, recorder
        self._chance, self._monotonic = times.chance, times.monotonic
        self.observe = runs.observe

    async def proceed(self, ctx: ReconcileContext, after_run: AfterRun, *, approval: bool = True) -> Decision | None:
        """Continue an execution that has not ended: wait until it is due, or do a run.

        `approval` says whether `spec.approval` counts. `after_run` decides what follows from a run.
        """
        if ctx.execution.paused_since is not None:
            ctx.work.state.schedule(None)
            if not _awaits_approval(ctx):
                ctx = ctx.with_status(execution=executions.resumed(ctx.execution, ctx.now))
        if wait := self.until_due(ctx):
            return self.unchanged(ctx, wait)
        return await self.run(ctx, after_run, approval=approval)

    async def run(
        self, ctx: ReconcileContext, after_run: AfterRun, observed: Observed | None = None, *, approval: bool = True
    ) -> Decision | None:
        """Do a run; without a pause after it the next one too, which usually finds that nothing is left."""
        decision, looked = await self._run(ctx, after_run, observed, approval=approval)
        if decision is None or decision.durable or decision.requeue != AT_ONCE or self._commit.to_stop(ctx.work):
            return decision
        self._commit.hold(ctx.work, decision)
        return (await self._run(ctx.after(decision.status), after_run, looked, approval=approval))[0]

    async def _run(
        self, ctx: ReconcileContext, after_run: AfterRun, observed: Observed | None, *, approval: bool
    ) -> tuple[Decision | None, Observed | None]:
        """Return the decision, and what the plan asks for next where it was asked already."""
        if ctx.spec.mode == "Preview" and not ctx.teardown:
            return self.preview(ctx, observed or await self._runs.observe(ctx)), None
        task_approval = None
        if approval:
            manual = ctx.spec.approval == "Manual"
            if manual or observed is not None or _awaits_approval(ctx):
                observed = observed or await self._runs.observe(ctx)
                asking = self._asking(ctx, observed)
                if isinstance(asking, Decision):
                    return asking, None
                ctx, observed = asking
            task_approval = None if manual else TaskApproval(ctx)
        ran = await self._runs.attempt(ctx, observed, task_approval)
        return await after_run(ctx, ran), ran.looked

    def _asking(self, ctx: ReconcileContext, observed: Observed) -> Decision | tuple[ReconcileContext, Observed]:
        """Return the decision to wait for an approval; else the context of a run, and what it is of."""
        if isinstance(observed, Postponed | Interrupted | Refused):
            return ctx, observed
        if isinstance(observed, TasksLeft):
            manual = ctx.spec.approval == "Manual"
            if manual and len(observed.asked) != len(observed.tasks):
                raise RuntimeError("tasks that need an approval were not read")  # never run them instead
            broken = next((one.error for one in observed.asked if one.error is not None), None) if manual else None
            if broken is not None:
                observed = CreateFailed(executions.engine_state(executions.resumed(ctx.execution, ctx.now)), broken)
            elif asked := observed.asked if manual else uncovered(ctx, observed.asked):
                verdict = decide(ctx, asked, () if manual else observed.asked)
                if isinstance(verdict, Withheld):
                    if len(asked) == len(observed.tasks):
                        return self._await_approval(ctx, verdict.pending, observed.waits)
                else:
                    ctx = self._granted(ctx, verdict)
        return ctx.with_status(execution=executions.resumed(ctx.execution, ctx.now)), observed

    def _granted(self, ctx: ReconcileContext, verdict: Granted) -> ReconcileContext:
        if verdict.now:
            self._recorder.record(ctx.snapshot, approved(verdict.execution))
        return ctx.with_status(execution=verdict.execution, pending=None)

    async def answer(self, ctx: ReconcileContext) -> Decision:
        """Ask the plan what a run would do, and answer in the status; when it is due next does not change."""
        state, asked = ctx.work.state, ctx
        if asked.snapshot.execution is None:
            asked = ctx.after(executions.begun(ctx.snapshot, ctx.inputs, ctx.now, 0, ""))
        changed = state.look_again
        observed = await self._runs.observe(asked)
        if changed:  # this look repairs nothing
            state.change()
        if isinstance(observed, Postponed):
            return self.postponed(asked, observed, ctx.snapshot.status)
        found = answer(ctx, observed)
        due = LookAfter(0.0) if state.due is None else RunAfter(max(0.0, state.due - self._monotonic()))
        if found is None:
            return Decision(ctx.snapshot.status, due, durable=False)
        return Decision(ctx.snapshot.status.model_copy(update={"preview": found}), due)

    def decision_after(self, ctx: ReconcileContext, ran: RunResult) -> Decision:
        """Return what follows from a run, whatever became of it."""
        match ran.outcome:
            case Postponed() as reason:
                return self.postponed(ctx, reason)
            case Refused(message):
                return self._refused(ctx, message)
            case outcome:
                ctx, outcome = keeping(ctx, outcome)
                due = ctx.work.state.progress_wait(ctx.execution.started_at.timestamp()) <= 0
                decision = decision_of(ctx, outcome, ran, self._chance, progress_due=due or keeps_more(ctx))
                if ran.withheld and isinstance(outcome, Again) and decision.status.condition("Stalled") is None:
                    return self._withheld(ctx, ran, outcome, decision)
                return decision

    def _withheld(self, ctx: ReconcileContext, ran: RunResult, outcome: Again, decision: Decision) -> Decision:
        """Return what follows from a run in which tasks did not run because they need an approval."""
        ctx = replace(ctx, snapshot=replace(ctx.snapshot, status=decision.status))
        verdict = decide(ctx, ran.withheld, ran.covered)
        if isinstance(verdict, Withheld):
            if ran.names or outcome.failed:
                return also_asking(ctx, decision, verdict.pending)
            return self._await_approval(ctx, verdict.pending, outcome.waiting)
        ctx = self._granted(ctx, verdict)
        if outcome.failed:
            return replace(decision, status=ctx.snapshot.status)
        status = ctx.with_status(next_run_at=None).snapshot.status
        return replace(decision, status=status, requeue=AT_ONCE, durable=True)

    def preview(self, ctx: ReconcileContext, observed: Observed) -> Decision:
        """Publish what would run."""
        again = next_observation(ctx, self._chance)
        match observed:
            case Nothing():
                return previewed(ctx, pending(ctx, ()), again)
            case TasksLeft(_, _, asked):
                return previewed(ctx, pending(ctx, asked), again)
            case Interrupted():
                return Decision(ctx.snapshot.status, AT_ONCE, durable=False)
            case ended:
                return self.decision_after(ctx, RunResult(ended))

    def observed_again(self, ctx: ReconcileContext, observed: Observed) -> Decision:
        """Return the decision that an observation at rest changes nothing but the time of the next."""
        if isinstance(observed, Postponed):
            return self.postponed(ctx, observed)
        if isinstance(observed, Interrupted):
            return Decision(ctx.snapshot.status, AT_ONCE, durable=False)
        if isinstance(observed, Refused):
            return self._refused(ctx, observed.message)
        if isinstance(observed, Nothing | TasksLeft):
            ctx, _ = keeping(ctx, Interrupted(executions.engine_state(ctx.execution)))
        return settled(ctx, next_observation(ctx, self._chance, steady=True))

    def postponed(self, ctx: ReconcileContext, reason: Postponed, status: PlanStatus | None = None) -> Decision:
        """Return the decision to begin again, uncounted: this is not an error of the plan."""
        state = ctx.work.state
        if ctx.execution.finished_at is not None:
            state.change()
        seconds = max(reason.after, backoff(1.0, _LONGEST_WAIT, state.wait(), self._chance))
        if status is None and ctx.execution.finished_at is None:  # this wait does not count as time of the execution
            status = ctx.with_status(execution=executions.paused(ctx.execution, ctx.now)).snapshot.status
        return Decision(status or ctx.snapshot.status, LookAfter(seconds), durable=False)

    def until_due(self, ctx: ReconcileContext) -> float:
        """Return the seconds until the next run; 0 when it is due. After a restart the status says it."""
        state, now = ctx.work.state, self._monotonic()
        if state.due is None and not state.seen:
            state.schedule(now + executions.wait_after_restart(ctx.snapshot.stored, ctx.spec, ctx.now), waits=True)
        return 0.0 if state.due is None else max(0.0, state.due - now)

    def _refused(self, ctx: ReconcileContext, message: str) -> Decision:
        """The plan's model refuses the parameters: the execution at hand, if one began for them, counts for nothing."""
        snapshot = ctx.work.snapshot
        return replace(refused(snapshot, Stalled("InvalidParameters", message), ctx.now), references=None)

    def unchanged(self, ctx: ReconcileContext, seconds: float) -> Decision:
        """Return the decision to leave all as it is until the next run is due."""
        return Decision(ctx.snapshot.status, RunAfter(seconds), durable=False)

    def _await_approval(self, ctx: ReconcileContext, asked: Pending, waits: Sequence[object]) -> Decision:
        approve = ctx.snapshot.approve
        ignored = approve if approve is not None and ctx.work.state.ignore(approve) else None
        soon = ctx.teardown or waits
        again = LookAfter(_LONGEST_WAIT) if soon else next_observation(ctx, self._chance)
        return awaiting_approval(ctx, asked, again, ignored)


def _awaits_approval(ctx: ReconcileContext) -> bool:
    """Return whether the execution stays paused while it is observed."""
    return ctx.snapshot.status.pending is not None and ctx.execution.paused_since is not None
