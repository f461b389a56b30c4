"""The decisions that run nothing: refused, waiting, suspended, at rest, previewed, awaiting an approval. Pure.

The reconciler, the driver and the teardown return them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from execloop.controller.reconcile.commit import AT_REST, Decision, LookAfter, Requeue
from execloop.controller.reconcile.execution.executions import at, ended, entry_of, paused
from execloop.controller.status.conditions import (
    MESSAGE_BYTES,
    Awaiting,
    Done,
    Kept,
    Progressing,
    Retrying,
    Stalled,
    advance,
    while_tearing_down,
)
from execloop.controller.status.events import SPENT, approval_ignored, approval_wanted, transition
from execloop.controller.status.explain import cut, sentence

if TYPE_CHECKING:
    from execloop.controller.api.v1alpha1 import Condition, Pending, PlanStatus
    from execloop.controller.reconcile.context import ReconcileContext
    from execloop.controller.reconcile.suspension import Suspended
    from execloop.controller.status.conditions import State
    from execloop.controller.watch.references import Reference
    from execloop.controller.watch.snapshot import Snapshot

__all__ = ["also_asking", "awaiting_approval", "previewed", "progressing", "refused", "settled", "suspended", "waiting"]

_NAMES_SHOWN = 5
_DIGEST_SHOWN = 16
_OVER = {"next_run_at": None, "progress": None}


def refused(
    snapshot: Snapshot,
    state: Stalled,
    now: float,
    requeue: Requeue = AT_REST,
    references: tuple[Reference, ...] = (),
) -> Decision:
    """It cannot run as it is."""
    shown = while_tearing_down(state) if snapshot.deleting else state
    status = _advanced(snapshot, shown, now).model_copy(update={**_OVER, "pending": None})
    return Decision(status, requeue, events=transition(snapshot.stored, status), references=references)


def waiting(
    snapshot: Snapshot, state: Retrying, now: float, seconds: float, references: tuple[Reference, ...]
) -> Decision:
    """Something that the Plan refers to is missing: its execution is paused, and the references are watched."""
    execution = snapshot.execution
    if execution is not None and execution.finished_at is None:
        execution = paused(execution, now)
    shown = while_tearing_down(state) if snapshot.deleting else state
    status = _advanced(snapshot, shown, now).model_copy(update={**_OVER, "execution": execution})
    return Decision(status, LookAfter(seconds), references=references)


def suspended(
    snapshot: Snapshot, standing: Suspended, now: float, references: tuple[Reference, ...], *, work_done: bool
) -> Decision:
    """`work_done` says whether the inputs were converged, or stalled, before."""
    execution = snapshot.execution
    if execution is not None and not work_done:
        execution = paused(execution, now) if execution.finished_at is None else execution
    update = {**_OVER, "execution": execution, "suspension": standing.record}
    status = _advanced(snapshot, Kept(work_done, standing.message), now).model_copy(update=update)
    new = snapshot.stored.condition("Suspended") is None
    events = (SPENT,) if standing.spent and new else ()
    requeue = AT_REST if standing.seconds is None else LookAfter(standing.seconds)
    return Decision(status, requeue, events=events, references=references)


def settled(ctx: ReconcileContext, requeue: Requeue) -> Decision:
    """What the execution came to before stands for the present generation too."""
    execution = ctx.execution
    result, status = execution.result or "", ctx.snapshot.status
    ready = status.condition("Ready")
    message = status.message if ready is not None and ready.reason == result else ""
    entry = entry_of(status, execution)
    message = message or execution.message or ("" if entry is None else entry.message)
    state = Done(result, message) if result in {"Converged", "Previewed"} else Stalled(result, message)
    return Decision(ctx.advance(state, ctx.now), requeue)


def previewed(ctx: ReconcileContext, pending: Pending, requeue: Requeue) -> Decision:
    now, execution = ctx.now, ctx.execution
    message = "these tasks would run: see status.pending" if pending.count else "no tasks would run"
    if execution.finished_at is None:
        execution = ended(execution, "Previewed", now, ctx.snapshot.generation)
    update = {**_OVER, "execution": execution, "pending": pending}
    return Decision(ctx.advance(Done("Previewed", message), now, **update), requeue)


def awaiting_approval(ctx: ReconcileContext, pending: Pending, requeue: Requeue, ignored: str | None) -> Decision:
    """`ignored` is the approval that does not match, if that was not announced before."""
    now = ctx.now
    update = {**_OVER, "execution": paused(ctx.execution, now), "pending": pending}
    given = ctx.snapshot.approve
    wrong = f"; the approval {cut(given, _DIGEST_SHOWN)} does not match these tasks" if given else ""
    status = ctx.advance(Awaiting(_asks(pending) + wrong), now, **update)
    before = ctx.snapshot.stored.pending
    if ignored is not None:
        return Decision(status, requeue, events=(approval_ignored(ignored, pending.digest),))
    asked = before is not None and before.digest == pending.digest
    return Decision(status, requeue, events=() if asked else (approval_wanted(_asks(pending), ctx.snapshot.key.name),))


def also_asking(ctx: ReconcileContext, decision: Decision, pending: Pending) -> Decision:
    """Return what follows from a run beside which some tasks wait for an approval: it says so, and asks once."""
    asks, name, before = _asks(pending), ctx.snapshot.key.name, ctx.snapshot.stored.pending
    shown = tuple(_also(condition, asks) for condition in decision.status.conditions)
    status = decision.status.model_copy(update={"conditions": shown, "pending": pending})
    if before is not None and before.digest == pending.digest:
        return replace(decision, status=status)
    return replace(decision, status=status, durable=True, events=(*decision.events, approval_wanted(asks, name)))


def _also(condition: Condition, asks: str) -> Condition:
    said = sentence("ApprovalRequired", f"{condition.message}; {asks}", MESSAGE_BYTES)
    return condition.model_copy(update={"message": said})


def _asks(pending: Pending) -> str:
    shown = ", ".join(pending.tasks[:_NAMES_SHOWN]) + (", …" if pending.count > _NAMES_SHOWN else "")
    return f"{pending.count} {'task waits' if pending.count == 1 else 'tasks wait'} for an approval: {shown}"


def progressing(ctx: ReconcileContext, errors: int, progress: str | None) -> PlanStatus:
    """Return the status while a run lasts that had so many errors until now."""
    execution = ctx.execution
    if errors:
        execution = execution.model_copy(update={"errors": execution.errors + errors})
    state = Progressing("tasks remain", failed=execution.errors > 0)
    update = {"execution": execution, "next_run_at": None, "progress": progress}
    return ctx.advance(state, ctx.now, **update)


def _advanced(snapshot: Snapshot, state: State, now: float) -> PlanStatus:
    return advance(snapshot.status, state, snapshot.generation, at(now))
