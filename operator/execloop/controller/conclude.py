"""From how a run ended to the new status and the next delay: pure, with time and chance given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from execloop.controller.executions import LAST_ERROR_BYTES, at, ended, recorded, taken_back
from execloop.controller.retry import backoff, jittered
from execloop.controller.status import Done, Progressing, Retrying, Stalled, State, advance, cut
from execloop.errors import ExecutionTimeout, ToleranceExceeded
from execloop.execution import Again, Converged, CreateFailed, Failed, Interrupted, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.admit import Admitted
    from execloop.controller.resource import ExecutionStatus, PlanStatus
    from execloop.controller.track import Track

__all__ = ["Conclusion", "conclude", "rest", "stall", "told"]

_LONG_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Conclusion:
    status: PlanStatus
    execution: ExecutionStatus
    delay: float | None
    """Seconds until the next run or observation; None when only a change calls for one."""
    write: bool
    """Whether it is written at once, or may wait for what comes next."""


def told(error: BaseException) -> str:
    return cut(f"{type(error).__name__}: {error}", LAST_ERROR_BYTES)


def conclude(  # noqa: PLR0911 - one return for each way to end
    track: Track,
    admitted: Admitted,
    execution: ExecutionStatus,
    outcome: Outcome,
    now: float,
    chance: Callable[[], float],
) -> Conclusion:
    spec, options = admitted.spec, admitted.options
    match outcome:
        case Converged(state):
            return _converged(track, admitted, taken_back(execution, state), now, chance)
        case Interrupted(state):
            execution = taken_back(execution, state)
            return Conclusion(track.draft, execution, 0.0, write=False)
        case Again(state, delay, failed=0):
            execution = taken_back(execution, state)
            going: State = Progressing("tasks remain", failed=state.errors > 0)
            return _waiting(track, execution, going, delay, now, write=delay > _LONG_PAUSE or state.errors > 0)
        case Again(state, delay, _):
            execution = taken_back(execution, state)
            return _retrying(track, admitted, execution, "TasksFailed", now, chance, least=delay)
        case CreateFailed(state, error):
            state = state.after_run(1, told(error))
            execution = taken_back(execution, state)
            if not options.tolerates(state.errors):
                return _spent(track, admitted, execution, f"create(): {told(error)}", now, chance)
            return _retrying(track, admitted, execution, "CreateFailed", now, chance, least=options.sleep)
        case Failed(state, error):
            stalled = Stalled(_reason(error), _why(error))
            return stall(track, taken_back(execution, state), stalled, spec.history_limit, now, rest(admitted, chance))


def _spent(
    track: Track, admitted: Admitted, execution: ExecutionStatus, message: str, now: float, chance: Callable[[], float]
) -> Conclusion:
    state = Stalled("ErrorsExceeded", message)
    return stall(track, execution, state, admitted.spec.history_limit, now, rest(admitted, chance))


def _reason(error: Exception) -> str:
    match error:
        case ToleranceExceeded():
            return "ErrorsExceeded"
        case ExecutionTimeout():
            return "ExecutionTimeout"
        case _:
            return "FatalError"


def _why(error: Exception) -> str:
    match error:
        case ToleranceExceeded(__cause__=cause) if cause is not None:
            return f"more errors than tolerated; the last: {told(cause)}"
        case _:
            return told(error)


def rest(admitted: Admitted, chance: Callable[[], float]) -> float | None:
    interval = admitted.spec.interval
    return jittered(interval, chance) if interval else None


def _converged(
    track: Track, admitted: Admitted, execution: ExecutionStatus, now: float, chance: Callable[[], float]
) -> Conclusion:
    done = Done("Converged", "no tasks remain")
    execution = ended(execution, done.reason, now)
    status = advance(track.draft, done, track.generation, at(now))
    status = recorded(status, execution, track, admitted.spec.history_limit, done.message)
    status = status.model_copy(
        update={"execution": execution, "next_run_at": None, "progress": None, "last_converged_at": at(now)}
    )
    return Conclusion(status, execution, rest(admitted, chance), write=True)


def _waiting(
    track: Track, execution: ExecutionStatus, state: State, delay: float, now: float, *, write: bool
) -> Conclusion:
    status = advance(track.draft, state, track.generation, at(now))
    next_run_at = at(now + delay) if write else None
    status = status.model_copy(update={"execution": execution, "next_run_at": next_run_at, "progress": None})
    return Conclusion(status, execution, delay, write)


def _retrying(
    track: Track,
    admitted: Admitted,
    execution: ExecutionStatus,
    reason: str,
    now: float,
    chance: Callable[[], float],
    *,
    least: float,
) -> Conclusion:
    limits = admitted.spec.error_backoff
    delay = max(least, backoff(limits.initial, limits.max, execution.failed_runs, chance))
    return _waiting(track, execution, Retrying(reason, execution.last_error or reason), delay, now, write=True)


def stall(
    track: Track, execution: ExecutionStatus, state: Stalled, history_limit: int, now: float, delay: float | None
) -> Conclusion:
    """The execution is over without having converged; at `delay` the world is observed again."""
    execution = ended(execution, state.reason, now)
    status = advance(track.draft, state, track.generation, at(now))
    status = recorded(status, execution, track, history_limit, state.message)
    status = status.model_copy(update={"execution": execution, "next_run_at": None, "progress": None})
    return Conclusion(status, execution, delay, write=True)
