"""The execution in a Plan's status: how it begins, pauses and ends, and what the engine sees of it. Pure.

The reconciler, the driver and `outcome` call it; it returns a new `ExecutionStatus` each time.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from execloop._engine.execution import Execution
from execloop.controller.api.v1alpha1 import ExecutionStatus, HistoryEntry, PlanStatus, SameWork
from execloop.controller.status.conditions import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop._plans.definition import Definition
    from execloop.controller.api.v1alpha1 import PlanSpec
    from execloop.controller.watch.snapshot import Snapshot

__all__ = [
    "asked",
    "at",
    "begun",
    "earlier",
    "ended",
    "engine_state",
    "entry_of",
    "is_stuck",
    "is_time_over",
    "paused",
    "recorded",
    "repeated",
    "resumed",
    "taken_back",
    "wait_after_restart",
]

LAST_ERROR_BYTES = 1024
_MESSAGE_BYTES = 256


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def begun(snapshot: Snapshot, inputs: str, now: float, history_limit: int, why: str) -> PlanStatus:
    """Return the status with a new execution; the one before goes into the history, superseded unless it has ended."""
    status, last = snapshot.status, snapshot.execution
    if last is not None:
        if last.finished_at is None:
            worked_on = max((c.observed_generation or 0 for c in status.conditions), default=0) or snapshot.generation
            last = ended(last, "Superseded", now, worked_on, why)
        status = recorded(status, last, history_limit)
    execution = ExecutionStatus(id=uuid.uuid4().hex[:12], inputs=inputs, started_at=at(now), **_request(snapshot))
    handled = status.last_handled_reconcile_at if snapshot.requested_at is None else snapshot.requested_at
    return status.model_copy(update={"execution": execution, "last_handled_reconcile_at": handled, "pending": None})


def _request(snapshot: Snapshot) -> dict[str, Any]:
    """Return what a person asked of the next execution, who, and why."""
    if (request := snapshot.step_request) is None:
        return {}
    return {"request": request, "requested_by": snapshot.requested_by, "request_reason": snapshot.request_reason}


def asked(execution: ExecutionStatus, kind: str) -> str:
    """Return the step that this execution was asked to `retry` or to `skip`, or nothing."""
    request, _, step = (execution.request or "").partition(" ")
    return step if request == kind else ""


def wait_after_restart(status: PlanStatus, spec: PlanSpec, now: float) -> float:
    """Return the seconds to the next run as another process wrote it, at most what the spec allows."""
    if status.next_run_at is None:
        return 0.0
    longest = max(spec.sleep_between_runs, 1.1 * spec.error_backoff.max)
    return min(max(0.0, status.next_run_at.timestamp() - now), longest)


def engine_state(execution: ExecutionStatus) -> Execution:
    return Execution(
        id=execution.id,
        started_at=execution.started_at.timestamp(),
        runs=execution.runs,
        errors=execution.errors,
        failed_runs=execution.failed_runs,
        paused=execution.paused,
        last_error=execution.last_error,
        waiting_runs=execution.waiting_runs,
    )


def taken_back(execution: ExecutionStatus, state: Execution, last_error: str | None = None) -> ExecutionStatus:
    """Return it with what the engine counted, and with the last error as it may be shown; None keeps the one before."""
    return execution.model_copy(
        update={
            "runs": state.runs,
            "errors": state.errors,
            "failed_runs": state.failed_runs,
            "waiting_runs": state.waiting_runs,
            "paused": execution.paused if execution.paused_since else round(state.paused, 3),
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


def ended(execution: ExecutionStatus, result: str, now: float, generation: int, message: str = "") -> ExecutionStatus:
    """Return it with all that its entry in the history will say."""
    return execution.model_copy(
        update={
            "finished_at": at(max(now, execution.started_at.timestamp())),
            "result": result,
            "generation": generation,
            "message": cut(message, _MESSAGE_BYTES) or None,
            "paused_since": None,
            "same_work": None,
            "waiting_runs": 0,
        }
    )


def entry_of(status: PlanStatus, execution: ExecutionStatus) -> HistoryEntry | None:
    """Return the entry of an execution in the history, where earlier versions wrote it as soon as it had ended."""
    return next((entry for entry in status.history if entry.id == execution.id), None)


def earlier(status: PlanStatus, execution: ExecutionStatus) -> tuple[HistoryEntry, ...]:
    """Return the history without this execution."""
    return tuple(entry for entry in status.history if entry.id != execution.id)


def recorded(status: PlanStatus, execution: ExecutionStatus, limit: int) -> PlanStatus:
    """Return the status with an execution that ended in the history, newest first; without a preview: it ran nothing.

    One that an earlier version ended has no generation: its entry stands, or else the generation that was observed.
    """
    if execution.result == "Previewed":
        return status
    entry = entry_of(status, execution) if execution.generation is None else None
    entry = entry or HistoryEntry(
        id=execution.id,
        generation=max(0, status.observed_generation) if execution.generation is None else execution.generation,
        started_at=execution.started_at,
        finished_at=execution.finished_at or execution.started_at,
        runs=execution.runs,
        errors=execution.errors,
        result=execution.result or "",
        message=execution.message or "",
        approved_by=execution.approval.by if execution.approval else None,
        request=execution.request,
        requested_by=execution.requested_by,
        request_reason=execution.request_reason,
    )
    return status.model_copy(update={"history": (entry, *earlier(status, execution))[:limit]})


def is_time_over(execution: ExecutionStatus, timeout: float | None, now: float) -> bool:
    """Return whether the deadline has passed; a pause that lasts does not count."""
    return timeout is not None and now >= engine_state(resumed(execution, now)).deadline(timeout)


def repeated(before: SameWork | None, names: Sequence[str], now: datetime) -> SameWork:
    """Return how often the same tasks were asked for, after a run without errors that asked for these."""
    tasks = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if before is None or before.tasks != tasks:
        return SameWork(runs=1, since=now, tasks=tasks)
    return SameWork(runs=before.runs + 1, since=before.since, tasks=tasks)


def is_stuck(work: SameWork, definition: Definition, now: datetime) -> bool:
    """Return whether the plan asked for the same tasks too often and for too long; its own limits, None for never."""
    runs, seconds = definition.same_work_runs, definition.same_work_seconds
    if runs is None or seconds is None:
        return False
    return work.runs >= runs and (now - work.since).total_seconds() >= seconds
