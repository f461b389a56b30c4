"""Turn the end of a run into a decision: the new status, when the Plan is due, which Events. Pure.

`ExecutionDriver` calls `decision_of` after each run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop._engine.errors import ExecutionTimeout, ToleranceExceeded
from execloop._engine.execution import Again, Converged, CreateFailed, Failed, Interrupted
from execloop.controller.plancode.crashes.suspects import PLAN_CRASHES, PlanCrashes
from execloop.controller.reconcile.commit import AT_ONCE, AT_REST, Decision, Requeue, RunAfter
from execloop.controller.reconcile.execution.executions import (
    at,
    earlier,
    ended,
    engine_state,
    is_stuck,
    repeated,
    resumed,
    taken_back,
)
from execloop.controller.status.conditions import Done, Progressing, Retrying, Stalled, State, Waiting
from execloop.controller.status.events import transition
from execloop.controller.timing import backoff, jittered, to_its_place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from execloop._engine.execution import Execution, Outcome
    from execloop.controller.api.v1alpha1 import ExecutionStatus, PlanStatus
    from execloop.controller.plancode.runner import RunResult
    from execloop.controller.reconcile.context import ReconcileContext

__all__ = ["decided", "decision_of", "next_observation"]

_LONG_PAUSE = 1.0
_NAMES_SHOWN = 5
_OVER = {"next_run_at": None, "progress": None, "pending": None}


def decision_of(  # noqa: PLR0911 - one return for each outcome
    ctx: ReconcileContext, outcome: Outcome, ran: RunResult, chance: Callable[[], float], *, progress_due: bool
) -> Decision:
    """Decide what follows from a run. `progress_due` writes also what could wait."""
    now, execution = ctx.now, ctx.execution
    match outcome:
        case Converged(state):
            return _converged(ctx, taken_back(execution, state), now, chance)
        case Interrupted(state):
            counted, execution = execution.errors, taken_back(execution, state)
            going = Progressing("tasks remain", failed=execution.errors > 0)
            status = ctx.advance(going, now, execution=execution, **_OVER)
            return Decision(status, AT_ONCE, durable=execution.errors > counted)  # an error counts before the next run
        case Again(state, delay, failed=0, waiting=waiting) if waiting:
            return _waits(ctx, taken_back(execution, state), ran.names, outcome, now, chance, progress_due=progress_due)
        case Again(state, delay, failed=0):
            return _again(ctx, taken_back(execution, state), ran.names, delay, now, chance, progress_due=progress_due)
        case Again(state, delay, _):
            execution = taken_back(execution, state, ran.last_error).model_copy(update={"same_work": None})
            return _retrying(ctx, execution, "TasksFailed", now, chance, least=delay)
        case CreateFailed(state, error):
            return _not_created(ctx, state, error, now, chance)
        case Failed(state, error):
            execution = taken_back(execution, state, ran.last_error or ctx.shown(error))
            return _stalled(ctx, execution, _why(ctx, error, ran.last_error), now, chance)


def next_observation(ctx: ReconcileContext, chance: Callable[[], float], *, steady: bool = False) -> Requeue:
    """Return when a Plan at rest is observed again. `steady`: after an observation that found nothing to do."""
    spec, execution = ctx.spec, ctx.snapshot.execution
    if execution is not None and execution.result == PLAN_CRASHES:
        return AT_REST
    if spec.mode == "Once" and execution is not None and execution.result == "Converged":
        return AT_REST
    if ctx.teardown and not spec.interval:
        return RunAfter(spec.error_backoff.max)
    if not spec.interval:
        return AT_REST
    if steady:
        return RunAfter(to_its_place(ctx.snapshot.uid, spec.interval, ctx.now))
    return RunAfter(jittered(spec.interval, chance))


def decided(ctx: ReconcileContext, status: PlanStatus, requeue: Requeue) -> Decision:
    """Return the decision to write a status, with the event of its transition."""
    events = transition(ctx.snapshot.stored, status, ctx.work.state.repairs)
    return Decision(status, requeue, events=events)


def _why(ctx: ReconcileContext, error: Exception, last_error: str | None) -> Stalled:
    match error:
        case ToleranceExceeded():
            return Stalled("ErrorsExceeded", f"more errors than tolerated; the last: {last_error or ctx.shown(error)}")
        case PlanCrashes():
            return Stalled(PLAN_CRASHES, str(error))
        case ExecutionTimeout():
            return Stalled("ExecutionTimeout", ctx.shown(error))
        case _:
            return Stalled("FatalError", last_error or ctx.shown(error))


def _converged(ctx: ReconcileContext, execution: ExecutionStatus, now: float, chance: Callable[[], float]) -> Decision:
    done = Done("Converged", "no tasks remain")
    update = {**_ended(ctx, execution, done, now), "last_converged_at": at(now)}
    status = ctx.advance(done, now, **update)
    if ctx.spec.mode == "Once":
        ttl = ctx.spec.ttl_after_finished
        return decided(ctx, status, AT_REST if ttl is None else RunAfter(ttl))
    return decided(ctx, status, next_observation(ctx, chance))


def _ended(ctx: ReconcileContext, execution: ExecutionStatus, how: Done | Stalled, now: float) -> dict[str, Any]:
    """Return the fields of the status of an execution that is over."""
    execution = ended(execution, how.reason, now, ctx.snapshot.generation, how.message)
    return {**_OVER, "execution": execution, "history": earlier(ctx.snapshot.status, execution)}


def _again(
    ctx: ReconcileContext,
    execution: ExecutionStatus,
    names: Sequence[str],
    delay: float,
    now: float,
    chance: Callable[[], float],
    *,
    progress_due: bool,
) -> Decision:
    execution, stuck = _same_work(ctx, execution, names, now)
    if stuck is not None:
        return _stalled(ctx, execution, stuck, now, chance)
    state = Progressing("tasks remain", failed=execution.errors > 0)
    return _waiting(ctx, execution, state, delay, now, durable=delay > _LONG_PAUSE or progress_due)


def _waits(
    ctx: ReconcileContext,
    execution: ExecutionStatus,
    names: Sequence[str],
    outcome: Again,
    now: float,
    chance: Callable[[], float],
    *,
    progress_due: bool,
) -> Decision:
    """The plan waits for something. A run of waits alone leaves the count of the same work untouched."""
    if names:
        execution, stuck = _same_work(ctx, execution, names, now)
        if stuck is not None:
            return _stalled(ctx, execution, stuck, now, chance)
    shown = "; ".join(outcome.waiting[:_NAMES_SHOWN]) + ("; …" if len(outcome.waiting) > _NAMES_SHOWN else "")
    state = Waiting(ctx.resolved.redactor.text(shown))
    ready = ctx.snapshot.stored.condition("Ready")
    enters = ready is None or ready.reason != "Waiting"
    return _waiting(ctx, execution, state, outcome.delay, now, durable=enters or progress_due)


def _same_work(
    ctx: ReconcileContext, execution: ExecutionStatus, names: Sequence[str], now: float
) -> tuple[ExecutionStatus, Stalled | None]:
    """Count a run that worked; return why the execution ends when it did the same too often."""
    work = repeated(execution.same_work, names, at(now))
    execution = execution.model_copy(update={"same_work": work})
    if not is_stuck(work, ctx.validated.definition, at(now)):
        return execution, None
    shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
    return execution, Stalled("NotConverging", f"asks for the same tasks again: {shown}")


def _not_created(
    ctx: ReconcileContext, state: Execution, error: Exception, now: float, chance: Callable[[], float]
) -> Decision:
    shown = ctx.shown(error)
    state = state.after_run(1, shown)
    execution = taken_back(ctx.execution, state, shown).model_copy(update={"same_work": None})
    if not ctx.options.tolerates(state.errors):
        return _stalled(ctx, execution, Stalled("ErrorsExceeded", f"create(): {shown}"), now, chance)
    return _retrying(ctx, execution, "CreateFailed", now, chance, least=ctx.options.sleep)


def _waiting(
    ctx: ReconcileContext, execution: ExecutionStatus, state: State, delay: float, now: float, *, durable: bool = True
) -> Decision:
    delay = min(delay, _left(ctx, execution, now))
    update = {**_OVER, "next_run_at": at(now + delay) if delay else None}
    status = ctx.advance(state, now, execution=execution, **update)
    if not durable:
        return Decision(status, RunAfter(delay), durable=False)
    return decided(ctx, status, RunAfter(delay))


def _left(ctx: ReconcileContext, execution: ExecutionStatus, now: float) -> float:
    """Return the seconds to the deadline: no pause goes beyond it."""
    timeout = ctx.options.timeout
    if timeout is None:
        return float("inf")
    return max(0.0, engine_state(resumed(execution, now)).deadline(timeout) - now)


def _retrying(
    ctx: ReconcileContext,
    execution: ExecutionStatus,
    reason: str,
    now: float,
    chance: Callable[[], float],
    *,
    least: float,
) -> Decision:
    limits = ctx.spec.error_backoff
    delay = max(least, backoff(limits.initial, limits.max, execution.failed_runs, chance))
    return _waiting(ctx, execution, Retrying(reason, execution.last_error or reason), delay, now)


def _stalled(
    ctx: ReconcileContext, execution: ExecutionStatus, state: Stalled, now: float, chance: Callable[[], float]
) -> Decision:
    """The execution is over without having converged; after `interval` the world is observed again."""
    if state.reason == PLAN_CRASHES and not ctx.teardown:
        execution = execution.model_copy(update={"inputs": ctx.run_inputs})
    status = ctx.advance(state, now, **_ended(ctx, execution, state, now))
    again = next_observation(ctx.after(status), chance)
    delays = [again.seconds] if isinstance(again, RunAfter) else []
    delays += [ctx.spec.ttl_after_finished] if ctx.spec.ttl_after_finished is not None else []
    return decided(ctx, status, RunAfter(min(delays)) if delays else AT_REST)
