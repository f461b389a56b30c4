"""The execution in a Plan's status: how it begins, pauses, ends, and what the engine sees of it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from execloop._engine.execution import Execution
from execloop.controller.api.v1alpha1 import ExecutionStatus, HistoryEntry, PlanStatus
from execloop.controller.status.conditions import cut

if TYPE_CHECKING:
    from execloop.controller.watch.cache import PlanState

__all__ = [
    "at",
    "begin",
    "begin_anew",
    "ended",
    "engine_state",
    "paused",
    "recorded",
    "resumed",
    "taken_back",
    "until_due",
]

LAST_ERROR_BYTES = 1024


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def begin(inputs: str, now: float) -> ExecutionStatus:
    return ExecutionStatus(id=uuid.uuid4().hex[:12], inputs=inputs, started_at=at(now))


def begin_anew(track: PlanState, inputs: str, now: float, history_limit: int, why: str) -> ExecutionStatus:
    """The execution at hand from now on; one that is under way goes into the history as superseded."""
    before = track.execution
    if before is not None and before.finished_at is None:
        over = ended(before, "Superseded", now)
        track.pending["history"] = recorded(track.draft, over, track, history_limit, why).history
    track.execution = begin(inputs, now)
    track.due, track.seen = None, True  # nextRunAt is that of the one before
    return track.execution


def until_due(track: PlanState, now: float, monotonic: float) -> float:
    """Seconds until its next run, 0 when that is due; after a restart the status tells it."""
    if track.due is None and not track.seen and track.status.next_run_at is not None:
        track.due = monotonic + track.status.next_run_at.timestamp() - now
    track.seen = True
    return 0.0 if track.due is None else max(0.0, track.due - monotonic)


def engine_state(execution: ExecutionStatus) -> Execution:
    return Execution(
        id=execution.id,
        started_at=execution.started_at.timestamp(),
        runs=execution.runs,
        errors=execution.errors,
        failed_runs=execution.failed_runs,
        paused=execution.paused,
        last_error=execution.last_error,
    )


def taken_back(execution: ExecutionStatus, state: Execution, last_error: str | None = None) -> ExecutionStatus:
    """With what the engine counted, and the last error as it may be told; None: as before."""
    return execution.model_copy(
        update={
            "runs": state.runs,
            "errors": state.errors,
            "failed_runs": state.failed_runs,
            "last_error": execution.last_error if last_error is None else cut(last_error, LAST_ERROR_BYTES),
        }
    )


def paused(execution: ExecutionStatus, now: float) -> ExecutionStatus:
    return execution if execution.paused_since else execution.model_copy(update={"paused_since": at(now)})


def resumed(execution: ExecutionStatus, now: float) -> ExecutionStatus:
    if execution.paused_since is None:
        return execution
    since = max(0.0, now - execution.paused_since.timestamp())
    return execution.model_copy(update={"paused_since": None, "paused": round(execution.paused + since, 3)})


def ended(execution: ExecutionStatus, result: str, now: float) -> ExecutionStatus:
    over = {"finished_at": at(now), "result": result, "paused_since": None, "same_work": None}
    return execution.model_copy(update=over)


def recorded(status: PlanStatus, execution: ExecutionStatus, track: PlanState, limit: int, message: str) -> PlanStatus:
    """With an ended execution in the history, newest first."""
    entry = HistoryEntry(
        id=execution.id,
        generation=track.generation,
        started_at=execution.started_at,
        finished_at=execution.finished_at or execution.started_at,
        runs=execution.runs,
        errors=execution.errors,
        result=execution.result or "",
        message=cut(message, 256),
        approved_by=execution.approval.by if execution.approval else None,
    )
    older = tuple(item for item in status.history if item.id != execution.id)
    return status.model_copy(update={"history": (entry, *older)[:limit]})
