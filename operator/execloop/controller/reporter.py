"""What becomes of a Plan, told in its status and its Events; what could not be written is kept for later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from execloop.controller import executions
from execloop.controller.bounds import bounded
from execloop.controller.conclude import conclude
from execloop.controller.retry import backoff
from execloop.controller.status import Awaiting, Done, Kept, Progressing, Retrying, Stalled, advance, while_tearing_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.admit import Admissions
    from execloop.controller.announce import Announcer
    from execloop.controller.case import Case
    from execloop.controller.resource import ExecutionStatus, Pending, PlanStatus
    from execloop.controller.times import Times
    from execloop.controller.track import Key, Track
    from execloop.controller.work import Ran
    from execloop.controller.writer import StatusWriter

__all__ = ["Reporter"]

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0


class Reporter:
    def __init__(
        self,
        writer: StatusWriter,
        announcer: Announcer,
        admissions: Admissions,
        times: Times,
    ) -> None:
        self._writer, self._announcer, self._admissions = writer, announcer, admissions
        self._chance, self._now, self._monotonic = times.chance, times.now, times.monotonic

    async def catch_up(self, key: Key, track: Track) -> None:
        """What a run came to is not lost because the API server was away when it ended."""
        status = track.unsaved
        if status is not None and status.execution == track.execution:
            await self._write(key, track, status, _never)
        track.unsaved = None

    async def save(self, key: Key, track: Track) -> None:
        """Write an execution that is ahead of its status."""
        await self.catch_up(key, track)
        execution = track.execution
        if execution is None or execution == track.status.execution:
            return
        going = Progressing("tasks remain", failed=execution.errors > 0)
        state = while_tearing_down(going) if track.deleting else going
        status = advance(track.draft, state, track.generation, executions.at(self._now()))
        await self._write(key, track, status.model_copy(update={"execution": execution}), _never)

    async def refuse(self, key: Key, track: Track, state: Stalled) -> None:
        """It cannot run as it is."""
        before, told = track.status, while_tearing_down(state) if track.deleting else state
        status = advance(track.draft, told, track.generation, executions.at(self._now()))
        status = status.model_copy(update={"next_run_at": None, "progress": None, "pending": None})
        if await self._write(key, track, status, _never):
            self._announcer.transition(track, before, status)

    async def wait(self, key: Key, track: Track, state: Retrying) -> float:
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

    async def suspend(self, key: Key, track: Track, *, settled: bool) -> None:
        now = self._now()
        if track.execution is not None and not settled:
            track.execution = executions.paused(track.execution, now)
        status = advance(track.draft, Kept(settled), track.generation, executions.at(now))
        status = status.model_copy(update={"execution": track.execution, "next_run_at": None, "progress": None})
        track.due = None
        await self._write(key, track, status, _never)

    async def settle(self, case: Case, state: Done | Stalled) -> None:
        """What it came to before stands for the present generation too."""
        status = case.advance(state, self._now())
        await self.write(case, status.model_copy(update={"execution": case.track.execution}))

    async def preview(self, case: Case, execution: ExecutionStatus, pending: Pending) -> None:
        now = self._now()
        message = "these tasks would run: see status.pending" if pending.count else "no tasks would run"
        if execution.finished_at is None:
            case.track.execution = execution = executions.ended(execution, "Previewed", now)
        status = case.advance(Done("Previewed", message), now)
        update = {"execution": execution, "pending": pending, "next_run_at": None, "progress": None}
        await self.write(case, status.model_copy(update=update))

    async def await_approval(self, case: Case, execution: ExecutionStatus, pending: Pending) -> None:
        now, track = self._now(), case.track
        track.execution = execution = executions.paused(execution, now)
        status = case.advance(Awaiting("tasks remain: approve status.pending.digest"), now)
        update = {"execution": execution, "pending": pending, "next_run_at": None, "progress": None}
        await self.write(case, status.model_copy(update=update))
        if track.approve is not None and track.approve != track.ignored:
            track.ignored = track.approve
            self._announcer.approval_ignored(track, pending.digest)

    async def progress(self, case: Case, execution: ExecutionStatus, done: str | None) -> bool:
        status = case.advance(Progressing("tasks remain", failed=execution.errors > 0), self._now())
        update = {"execution": execution, "next_run_at": None, "progress": done, "pending": None}
        return await self.write(case, status.model_copy(update=update))

    async def conclude(self, case: Case, execution: ExecutionStatus, ran: Ran) -> float | None:
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
            self._announcer.transition(track, before, status)
        return conclusion.delay

    def _yield_to_others(self, track: Track, before: PlanStatus) -> None:
        """Where another operator wrote an execution meanwhile, that is the one to go on with."""
        ours, theirs = track.execution, track.status.execution
        known = {execution.id for execution in (ours, before.execution) if execution is not None}
        if theirs is not None and theirs.id not in known:
            track.execution, track.due = theirs, None

    async def write(self, case: Case, status: PlanStatus) -> bool:
        return await self._write(case.key, case.track, status, partial(self._outdated, case))

    def _outdated(self, case: Case, track: Track) -> bool:
        if case.teardown:
            return False
        return track.deleting or self._admissions.outdated(track, case.inputs)

    async def _write(self, key: Key, track: Track, status: PlanStatus, outdated: Callable[[Track], bool]) -> bool:
        brought = dict(track.pending)
        if not await self._writer.write(key, track, bounded(status), outdated):
            return False
        for field, value in brought.items():
            if track.pending.get(field) is value:
                del track.pending[field]
        return True


def _never(_track: Track) -> bool:
    return False
