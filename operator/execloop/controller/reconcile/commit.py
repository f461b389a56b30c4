"""What a reconcile decides, and the one place that applies it: check, write, record Events, schedule.

`Reconciler` applies each decision here. Nothing else writes a status or sets when a Plan is due.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from execloop.controller.status.conditions import Stalled
from execloop.controller.status.size import bounded
from execloop.controller.status.state import finished
from execloop.controller.status.transitions import Shown, line, shown
from execloop.controller.watch.snapshot import identity_of

if TYPE_CHECKING:
    from execloop.controller.api.v1alpha1 import PlanStatus
    from execloop.controller.reconcile.inputs.validation import Validator
    from execloop.controller.status.events import EventRecorder, PlanEvent
    from execloop.controller.status.writer import StatusWriter
    from execloop.controller.timing import Times
    from execloop.controller.watch.cache import Cache, Key, PlanState, UnderWay
    from execloop.controller.watch.references import Reference, References
    from execloop.controller.watch.snapshot import Snapshot

__all__ = ["AT_ONCE", "AT_REST", "LEAST_WAIT", "AtRest", "Commit", "Decision", "LookAfter", "Requeue", "RunAfter"]

logger = logging.getLogger(__name__)

_SETTLE = 0.2
"""Seconds in which changes that belong together arrive."""
LEAST_WAIT = 1.0
"""Seconds until a plan that waits is asked again, at least, however often what it manages changes."""


@dataclass(frozen=True, slots=True)
class RunAfter:
    """The next run or observation is due after so many seconds; an event in between changes nothing about that."""

    seconds: float


@dataclass(frozen=True, slots=True)
class LookAfter:
    """Something that the Plan waits for is looked at again after so many seconds; an event may bring it sooner."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AtRest:
    """Only a change makes the Plan due."""


Requeue: TypeAlias = RunAfter | LookAfter | AtRest
AT_ONCE: Final = RunAfter(0.0)
AT_REST: Final = AtRest()


@dataclass(frozen=True, slots=True)
class Decision:
    status: PlanStatus
    """The status from now on."""
    requeue: Requeue
    durable: bool = True
    """Whether the status is written now; else memory alone holds it until something else is written."""
    events: tuple[PlanEvent, ...] = ()
    references: tuple[Reference, ...] | None = None
    """What the Plan refers to; None leaves that as it is."""


class Commit:
    def __init__(
        self,
        cache: Cache,
        validator: Validator,
        writer: StatusWriter,
        recorder: EventRecorder,
        references: References,
        times: Times,
    ) -> None:
        self._cache, self._validator, self._writer = cache, validator, writer
        self._recorder, self._references, self._monotonic = recorder, references, times.monotonic

    async def apply(self, work: UnderWay, decision: Decision) -> Requeue:
        """Apply a decision, unless its snapshot was overtaken; return when the Plan is due. Raises ApiError.

        A decision that the API server does not take is kept, and applied first in the next reconcile.
        """
        complete = self.hold(work, decision)
        if decision.durable:
            work.state.unsaved = decision
            if not await self._write(work, complete):
                return self._drop(work)
            work.state.unsaved = None
        self._publish(work, decision.events)
        return self._with_another_look(work.state, decision.requeue)

    def hold(self, work: UnderWay, decision: Decision) -> PlanStatus:
        """Take a decision in memory: what it counted, and when the Plan is due. Return its status as it is written."""
        state, complete = work.state, _complete(work, decision.status, whole=not decision.durable)
        state.decide(complete)
        self._schedule(state, decision.requeue)
        if decision.references is not None:
            self._references.refer(state.key, decision.references)
        return complete

    def record(self, snapshot: Snapshot, event: PlanEvent) -> None:
        self._recorder.record(snapshot, event)

    def refer(self, work: UnderWay, references: tuple[Reference, ...]) -> None:
        """Watch what a Plan refers to, and nothing else, while its run lasts."""
        self._references.refer(work.snapshot.key, references)

    def reported(self, key: Key) -> frozenset[Reference]:
        """Return those of a Plan's references of which every change from now on makes it due."""
        return self._references.reported(key)

    async def save(self, work: UnderWay) -> None:
        """Write the status as it is held, unless another operator wrote meanwhile. Raises ApiError."""
        await self._writer.write(work, work.snapshot.status, lambda: self._moved_on(work))

    async def write(self, work: UnderWay, status: PlanStatus) -> bool:
        """Write a status of this reconcile; return False when its snapshot was overtaken. Raises ApiError."""
        return await self._write(work, _complete(work, status))

    async def _write(self, work: UnderWay, complete: PlanStatus) -> bool:
        written = await self._writer.write(work, complete, lambda: self.overtaken(work))
        if written:
            work.state.progress_written()
            self._log(work, complete)
        return written

    async def catch_up(self, work: UnderWay) -> bool:
        """Apply the decision that the API server did not take; return False when it was overtaken. Raises ApiError."""
        decision: Decision | None = work.state.unsaved
        if decision is None:
            return True
        if not await self._writer.write(work, work.snapshot.status, lambda: self._moved_on(work)):
            self._drop(work)
            return False
        work.state.unsaved = None
        self._log(work, work.snapshot.status)
        self._publish(work, decision.events)
        return True

    def _publish(self, work: UnderWay, events: tuple[PlanEvent, ...]) -> None:
        """Record Events, and log those that no line of a transition has said."""
        for event in events:
            self._recorder.record(work.snapshot, event)
            if event.reason != work.state.logged_reason:
                level = logging.WARNING if event.type == "Warning" else logging.INFO
                logger.log(level, "%s: %s", event.reason, event.note, extra={"plan": str(work.snapshot.key)})

    def _log(self, work: UnderWay, status: PlanStatus) -> None:
        """Log a transition, once its status is written."""
        state = work.state
        found = line(Shown(*(state.logged or shown(work.snapshot.stored))), status)
        state.log(shown(status), "" if found is None else found.reason)
        if found is not None:
            logger.log(found.level, "%s", found.text, extra={"plan": str(state.key)})

    def overtaken(self, work: UnderWay) -> bool:
        """Return whether what this reconcile decides no longer speaks of the Plan as it is."""
        if self._moved_on(work):
            return True
        newest, snapshot = work.state.snapshot, work.snapshot
        if newest.generation == snapshot.generation or snapshot.deleting:
            return False
        return work.inputs is None or self._inputs(work, newest) != work.inputs

    def to_stop(self, work: UnderWay) -> bool:
        """Return whether this reconcile should start nothing more: overtaken, suspended, requested again."""
        newest, snapshot = work.state.snapshot, work.snapshot
        if self.overtaken(work) or newest.requested != snapshot.requested:
            return True
        if snapshot.deleting:
            return newest.abandoned != snapshot.abandoned or newest.generation != snapshot.generation
        validated = self._validator.of(work.state, newest)
        return isinstance(validated, Stalled) or (newest.generation != snapshot.generation and validated.spec.suspend)

    def _moved_on(self, work: UnderWay) -> bool:
        """Return whether the Plan was deleted, created again, is being deleted, or belongs to another operator."""
        state = self._cache.get(work.snapshot.key)
        if state is not work.state:
            return True
        newest = state.snapshot
        ours = identity_of(newest.stored) in work.known or newest.stored == state.sending  # an answer may be lost
        return newest.deleting != work.snapshot.deleting or not ours

    def _inputs(self, work: UnderWay, newest: Snapshot) -> str | None:
        validated = self._validator.of(work.state, newest)
        return None if isinstance(validated, Stalled) else validated.inputs(work.state.versions)

    def _drop(self, work: UnderWay) -> Requeue:
        state = work.state
        if identity_of(state.snapshot.stored) in work.known:
            state.drop_decision()
        else:
            state.yield_to(state.snapshot.stored)
        state.schedule(None)
        return AT_ONCE

    def _schedule(self, state: PlanState, requeue: Requeue) -> None:
        match requeue:
            case RunAfter(seconds):
                state.schedule(self._monotonic() + seconds)
            case LookAfter():
                state.schedule(None, waits=True)
            case AtRest():
                state.schedule(None)

    def _with_another_look(self, state: PlanState, requeue: Requeue) -> Requeue:
        """Look again at a Plan at rest, or that waits, if something that it manages changed since it looked."""
        if state.look_again and state.awaits_the_world and isinstance(requeue, RunAfter):
            state.hasten(self._monotonic() + LEAST_WAIT)
            return RunAfter(min(requeue.seconds, LEAST_WAIT))
        execution = state.snapshot.execution
        at_rest = execution is not None and execution.finished_at is not None
        if not state.look_again or not at_rest or isinstance(requeue, LookAfter) or requeue == AT_ONCE:
            return requeue
        state.schedule(self._monotonic())
        return RunAfter(_SETTLE)


def _complete(work: UnderWay, status: PlanStatus, *, whole: bool = False) -> PlanStatus:
    """Return the status with the words for the columns, and within the bounds of what is written unless `whole`."""
    complete = finished(status, work.snapshot.spec)
    return complete if whole else bounded(complete)
