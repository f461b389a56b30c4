"""What becomes of a Plan, told in its status and its Events; what could not be written is kept for later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from execloop.controller.backoff import backoff
from execloop.controller.reconcile import executions
from execloop.controller.reconcile.outcome import conclude
from execloop.controller.status.conditions import (
    Awaiting,
    Done,
    Kept,
    Progressing,
    Retrying,
    Stalled,
    advance,
    while_tearing_down,
)
from execloop.controller.status.size import bounded
from execloop.controller.status.state import finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.api.v1alpha1 import ExecutionStatus, Pending, PlanStatus
    from execloop.controller.plancode.runner import Ran
    from execloop.controller.reconcile.context import ReconcileContext
    from execloop.controller.reconcile.validation import Validator
    from execloop.controller.status.events import EventRecorder
    from execloop.controller.status.writer import StatusWriter
    from execloop.controller.timing import Times
    from execloop.controller.watch.cache import Key, PlanState

__all__ = ["Reporter"]

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0


class Reporter:
    def __init__(
        self,
        writer: StatusWriter,
        recorder: EventRecorder,
        validator: Validator,
        times: Times,
    ) -> None:
        self._writer, self._recorder, self._validator = writer, recorder, validator
        self._chance, self._now, self._monotonic = times.chance, times.now, times.monotonic

    async def catch_up(self, key: Key, track: PlanState) -> None:
        """What a run came to is not lost because the API server was away when it ended."""
        status = track.unsaved
        if status is not None and status.execution == track.execution:
            await self._write(key, track, status, _never)
        track.unsaved = None

    async def save(self, key: Key, track: PlanState) -> None:
        """Write an execution that is ahead of its status."""
        await self.catch_up(key, track)
        execution = track.execution
        if execution is None or execution == track.status.execution:
            return
        going = Progressing("tasks remain", failed=execution.errors > 0)
        state = while_tearing_down(going) if track.deleting else going
        status = advance(track.draft, state, track.generation, executions.at(self._now()))
        await self._write(key, track, status.model_copy(update={"execution": execution}), _never)

    async def refuse(self, key: Key, track: PlanState, state: Stalled) -> None:
        """It cannot run as it is."""
        before, told = track.status, while_tearing_down(state) if track.deleting else state
        status = advance(track.draft, told, track.generation, executions.at(self._now()))
        status = status.model_copy(update={"next_run_at": None, "progress": None, "pending": None})
        if await self._write(key, track, status, _never):
            self._recorder.transition(track, before, status)

    async def wait(self, key: Key, track: PlanState, state: Retrying) -> float:
        """Something that it refers to is missing: seconds until that is looked for again; its execution is paused."""
        execution, now = track.execution, self._now()
        if execution is not None and execution.finished_at is None:
            track.execution = execution = executions.paused(execution, now)
        told = while_tearing_down(state) if track.deleting else state
        status = advance(track.draft, told, track.generation, executions.at(now))
        status = status.model_copy(update={"next_run_at": None, "progress": None, "execution": execution})
        track.waits, track.due = track.waits + 1, None
        await self._write(key, track, status, _never)
        return backoff(_FIRST_WAIT, _LONGEST_WAIT, track.waits, self._chance)

    async def suspend(self, key: Key, track: PlanState, *, settled: bool) -> None:
        now = self._now()
        if track.execution is not None and not settled:
            track.execution = executions.paused(track.execution, now)
        status = advance(track.draft, Kept(settled), track.generation, executions.at(now))
        status = status.model_copy(update={"execution": track.execution, "next_run_at": None, "progress": None})
        track.due = None
        await self._write(key, track, status, _never)

    async def settle(self, case: ReconcileContext, state: Done | Stalled) -> None:
        """What it came to before stands for the present generation too."""
        status = case.advance(state, self._now())
        await self.write(case, status.model_copy(update={"execution": case.track.execution}))

    async def preview(self, case: ReconcileContext, execution: ExecutionStatus, pending: Pending) -> None:
        now = self._now()
        message = "these tasks would run: see status.pending" if pending.count else "no tasks would run"
        if execution.finished_at is None:
            case.track.execution = execution = executions.ended(execution, "Previewed", now)
        status = case.advance(Done("Previewed", message), now)
        update = {"execution": execution, "pending": pending, "next_run_at": None, "progress": None}
        await self.write(case, status.model_copy(update=update))

    async def await_approval(self, case: ReconcileContext, execution: ExecutionStatus, pending: Pending) -> None:
        now, track = self._now(), case.track
        track.execution = execution = executions.paused(execution, now)
        status = case.advance(Awaiting("tasks remain: approve status.pending.digest"), now)
        update = {"execution": execution, "pending": pending, "next_run_at": None, "progress": None}
        await self.write(case, status.model_copy(update=update))
        if track.approve is not None and track.approve != track.ignored:
            track.ignored = track.approve
            self._recorder.approval_ignored(track, pending.digest)

    async def progress(self, case: ReconcileContext, execution: ExecutionStatus, done: str | None) -> bool:
        status = case.advance(Progressing("tasks remain", failed=execution.errors > 0), self._now())
        update = {"execution": execution, "next_run_at": None, "progress": done, "pending": None}
        return await self.write(case, status.model_copy(update=update))

    async def conclude(self, case: ReconcileContext, execution: ExecutionStatus, ran: Ran) -> float | None:
        """Seconds until the Plan is due again; None when only a change makes it so."""
        before, track = case.track.status, case.track
        conclusion = conclude(case, execution, ran, self._now(), self._chance)
        track.execution = conclusion.execution
        track.due = None if conclusion.delay is None else self._monotonic() + conclusion.delay
        if (status := conclusion.status) is not None:
            track.unsaved = status
            written = await self.write(case, status)
            track.unsaved = None
            if not written:
                self._yield_to_others(track, before)
                return 0.0
            self._recorder.transition(track, before, status)
        return conclusion.delay

    def _yield_to_others(self, track: PlanState, before: PlanStatus) -> None:
        """Where another operator wrote an execution meanwhile, that is the one to go on with."""
        ours, theirs = track.execution, track.status.execution
        known = {execution.id for execution in (ours, before.execution) if execution is not None}
        if theirs is not None and theirs.id not in known:
            track.execution, track.due = theirs, None

    async def write(self, case: ReconcileContext, status: PlanStatus) -> bool:
        return await self._write(case.key, case.track, status, partial(self._outdated, case))

    def _outdated(self, case: ReconcileContext, track: PlanState) -> bool:
        if case.teardown:
            return False
        return track.deleting or self._validator.outdated(track, case.inputs)

    async def _write(
        self, key: Key, track: PlanState, status: PlanStatus, outdated: Callable[[PlanState], bool]
    ) -> bool:
        brought = dict(track.pending)
        status = bounded(finished(status, track.object.get("spec")))
        if not await self._writer.write(key, track, status, outdated):
            return False
        for field, value in brought.items():
            if track.pending.get(field) is value:
                del track.pending[field]
        return True


def _never(_track: PlanState) -> bool:
    return False
