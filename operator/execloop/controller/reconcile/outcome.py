"""From how a run ended to the new status and the next delay: pure, with time and chance given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from execloop._engine.errors import ExecutionTimeout, ToleranceExceeded
from execloop._engine.execution import Again, Converged, CreateFailed, Execution, Failed, Interrupted
from execloop.controller.backoff import backoff, jittered
from execloop.controller.plancode.runner import Postponed
from execloop.controller.reconcile.convergence import is_stuck, repeated
from execloop.controller.reconcile.executions import at, ended, recorded, taken_back
from execloop.controller.reconcile.progress import ProgressInterval
from execloop.controller.status.conditions import Done, Progressing, Retrying, Stalled, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from execloop.controller.api.v1alpha1 import ExecutionStatus, PlanStatus
    from execloop.controller.plancode.runner import Ran
    from execloop.controller.reconcile.context import ReconcileContext

__all__ = ["Conclusion", "conclude", "rest"]

_LONG_PAUSE = 1.0
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Conclusion:
    status: PlanStatus | None
    """To be written at once; None when that may wait for what comes next."""
    execution: ExecutionStatus
    delay: float | None
    """Seconds until the next run or observation; None when only a change calls for one."""


def conclude(
    case: ReconcileContext,
    execution: ExecutionStatus,
    ran: Ran,
    now: float,
    chance: Callable[[], float],
) -> Conclusion:
    """`ran` must not have been postponed: nothing ended then."""
    match ran.outcome:
        case Converged(state):
            return _converged(case, taken_back(execution, state), now, chance)
        case Interrupted(state):
            return Conclusion(None, taken_back(execution, state), 0.0)
        case Again(state, delay, failed=0):
            return _again(case, taken_back(execution, state), ran.names, delay, now, chance)
        case Again(state, delay, _):
            execution = taken_back(execution, state, ran.last_error)
            execution = execution.model_copy(update={"same_work": None})
            return _retrying(case, execution, "TasksFailed", now, chance, least=delay)
        case CreateFailed(state, error):
            return _not_created(case, execution, state, error, now, chance)
        case Failed(state, error):
            execution = taken_back(execution, state, ran.last_error or case.told(error))
            return _stalled(case, execution, _why(case, error, ran.last_error), now, chance)
        case Postponed():
            raise AssertionError("a run that was postponed has not ended")


def rest(case: ReconcileContext, chance: Callable[[], float]) -> float | None:
    """Seconds until a Plan at rest is observed again."""
    spec = case.spec
    if spec.mode == "Once" and case.track.execution is not None and case.track.execution.result == "Converged":
        return None
    if case.teardown and not spec.interval:
        return spec.error_backoff.max
    return jittered(spec.interval, chance) if spec.interval else None


def _why(case: ReconcileContext, error: Exception, last_error: str | None) -> Stalled:
    match error:
        case ToleranceExceeded():
            return Stalled("ErrorsExceeded", f"more errors than tolerated; the last: {last_error or case.told(error)}")
        case ExecutionTimeout():
            return Stalled("ExecutionTimeout", case.told(error))
        case _:
            return Stalled("FatalError", last_error or case.told(error))


def _converged(
    case: ReconcileContext, execution: ExecutionStatus, now: float, chance: Callable[[], float]
) -> Conclusion:
    done = Done("Converged", "no tasks remain")
    execution = ended(execution, done.reason, now)
    status = recorded(case.advance(done, now), execution, case.track, case.spec.history_limit, done.message)
    status = status.model_copy(
        update={
            "execution": execution,
            "next_run_at": None,
            "progress": None,
            "pending": None,
            "last_converged_at": at(now),
        }
    )
    delay = case.spec.ttl_after_finished if case.spec.mode == "Once" else rest(case, chance)
    return Conclusion(status, execution, delay)


def _again(
    case: ReconcileContext,
    execution: ExecutionStatus,
    names: Sequence[str],
    delay: float,
    now: float,
    chance: Callable[[], float],
) -> Conclusion:
    work = repeated(execution.same_work, names, at(now))
    execution = execution.model_copy(update={"same_work": work})
    if is_stuck(work, case.validated.definition, at(now)):
        shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
        return _stalled(
            case, execution, Stalled("NotConverging", f"asks for the same tasks again: {shown}"), now, chance
        )
    young = (
        now - execution.started_at.timestamp() < ProgressInterval.FIRST
    )  # an older one must not be known to memory alone
    if young and delay <= _LONG_PAUSE and not execution.errors:
        return Conclusion(None, execution, delay)
    return _waiting(case, execution, Progressing("tasks remain", failed=execution.errors > 0), delay, now)


def _not_created(
    case: ReconcileContext,
    execution: ExecutionStatus,
    state: Execution,
    error: Exception,
    now: float,
    chance: Callable[[], float],
) -> Conclusion:
    told = case.told(error)
    state = state.after_run(1, told)
    execution = taken_back(execution, state, told).model_copy(update={"same_work": None})
    if not case.options.tolerates(state.errors):
        return _stalled(case, execution, Stalled("ErrorsExceeded", f"create(): {told}"), now, chance)
    return _retrying(case, execution, "CreateFailed", now, chance, least=case.options.sleep)


def _waiting(case: ReconcileContext, execution: ExecutionStatus, state: State, delay: float, now: float) -> Conclusion:
    next_run_at = at(now + delay) if delay else None
    update = {"execution": execution, "next_run_at": next_run_at, "progress": None, "pending": None}
    return Conclusion(case.advance(state, now).model_copy(update=update), execution, delay)


def _retrying(
    case: ReconcileContext,
    execution: ExecutionStatus,
    reason: str,
    now: float,
    chance: Callable[[], float],
    *,
    least: float,
) -> Conclusion:
    limits = case.spec.error_backoff
    delay = max(least, backoff(limits.initial, limits.max, execution.failed_runs, chance))
    return _waiting(case, execution, Retrying(reason, execution.last_error or reason), delay, now)


def _stalled(
    case: ReconcileContext, execution: ExecutionStatus, state: Stalled, now: float, chance: Callable[[], float]
) -> Conclusion:
    """The execution is over without having converged; after the delay the world is observed again."""
    execution = ended(execution, state.reason, now)
    status = recorded(case.advance(state, now), execution, case.track, case.spec.history_limit, state.message)
    update = {"execution": execution, "next_run_at": None, "progress": None, "pending": None}
    delays = [delay for delay in (rest(case, chance), case.spec.ttl_after_finished) if delay is not None]
    return Conclusion(status.model_copy(update=update), execution, min(delays, default=None))
