"""One reconcile of one Plan: admit, observe, execute, conclude, write. Level-triggered: what led here is not asked."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from execloop.context import Context
from execloop.controller import executions
from execloop.controller.admit import Admitted, admit
from execloop.controller.conclude import conclude, rest
from execloop.controller.logs import PlanLogger
from execloop.controller.progress import Pace
from execloop.controller.status import Done, Kept, Progressing, Stalled, advance
from execloop.controller.work import Nothing, Observed, Postponed, Prepared, Work, drive, observe, unmade
from execloop.execution import Converged, CreateFailed, Execution, Failed, Interrupted, Outcome
from execloop.kube import ApiError
from execloop.run import out_of_time
from execloop.walk import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.announce import Announcer
    from execloop.controller.clients import Clients
    from execloop.controller.plancode import PlanCode
    from execloop.controller.resource import ExecutionStatus, PlanStatus
    from execloop.controller.track import Cache, Key, Track
    from execloop.controller.writer import StatusWriter
    from execloop.plans import Plan
    from execloop.registry import Registry
    from execloop.run import Run
    from execloop.tasks import AnyTask

__all__ = ["Reconciler"]

logger = logging.getLogger(__name__)

_AFTER_RESTART = 300.0
_POSTPONED = 1.0
NAMES_SHOWN = 5


class Reconciler:
    def __init__(
        self,
        registry: Registry,
        cache: Cache,
        code: PlanCode,
        writer: StatusWriter,
        clients: Clients,
        announcer: Announcer,
        *,
        declare: Callable[[Key, str, object], None] = lambda _key, _uid, _plan: None,
        stop: Callable[[], Stop] = Stop,
        ran: Callable[[Run, Outcome | Postponed], None] = lambda _run, _outcome: None,
        chance: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._cache, self._code = registry, cache, code
        self._writer, self._clients, self._announcer = writer, clients, announcer
        self._chance, self._now, self._monotonic = chance, now, monotonic
        self._declare, self._stop, self._ran = declare, stop, ran
        self.closing = False

    async def reconcile(self, key: Key) -> float | None:
        """Seconds until the key is due again; None when only a change makes it so. Raises ApiError."""
        track = self._cache.get(key)
        if track is None or track.deleting or self.closing or key in self._code.barred:
            return None
        admitted = self._admit(track)
        await self._save_first(key, track)
        if isinstance(admitted, Stalled):
            await self._refuse(key, track, admitted)
            return None
        begins = self._begins(track, admitted)
        resting = not begins and track.execution is not None and track.execution.finished_at is not None
        if admitted.spec.suspend:
            await self._suspend(key, track, admitted, settled=resting)
            return None
        if resting:
            return await self._rest(key, track, admitted)
        if begins:
            self._begin(track, admitted)
        return await self._go_on(key, track, admitted)

    def _admit(self, track: Track) -> Admitted | Stalled:
        """Once for each generation: the spec cannot change within one."""
        if track.admission is None or track.admission[0] != track.generation:
            track.admission = track.generation, admit(track.object.get("spec"), self._registry)
        return track.admission[1]

    def interrupt(self, key: Key) -> None:
        """Stop the run under way at its next task boundary if what has changed concerns it."""
        track = self._cache.get(key)
        if track is None or track.stop is None:
            return
        admitted = self._admit(track)
        if track.deleting or isinstance(admitted, Stalled) or admitted.spec.suspend or self._begins(track, admitted):
            track.stop.request()

    def drifted(self, key: Key) -> bool:
        """Whether something of a Plan at rest has changed, so that it is due now."""
        track = self._cache.get(key)
        if track is None or track.execution is None or track.execution.finished_at is None or track.due is None:
            return False
        track.due = self._monotonic()
        return True

    async def close(self) -> None:
        """Begin nothing more, stop runs at their next task boundary, save what only memory holds."""
        self.closing = True
        for key in self._cache:
            track = self._cache.get(key)
            if track is not None and track.stop is not None:
                track.stop.request()

    async def save(self, key: Key) -> None:
        """Write an execution that is ahead of its status."""
        track = self._cache.get(key)
        if track is not None:
            await self._save_first(key, track)
        if track is None or track.execution is None or track.execution == track.status.execution:
            return
        going = Progressing("tasks remain", failed=track.execution.errors > 0)
        status = advance(track.draft, going, track.generation, executions.at(self._now()))
        await self._writer.write(key, track, status.model_copy(update={"execution": track.execution}), _never)

    async def _save_first(self, key: Key, track: Track) -> None:
        """What a run came to is not lost because the API server was away when it ended."""
        status = track.unsaved
        if status is not None and status.execution == track.execution:
            await self._write(key, track, status, _never)
        track.unsaved = None

    # -- when an execution begins

    def _begins(self, track: Track, admitted: Admitted) -> bool:
        """Whether changed inputs or a request ask for an execution other than the one at hand."""
        execution = track.execution
        if execution is None or execution.inputs != admitted.inputs:
            return True
        if execution.finished_at is not None and not any(c.type == "Ready" for c in track.status.conditions):
            return True  # somebody emptied the status
        return track.requested_at is not None and track.requested_at != track.draft.last_handled_reconcile_at

    def _begin(self, track: Track, admitted: Admitted, drift: str | None = None) -> ExecutionStatus:
        before, now = track.execution, self._now()
        if before is not None and before.finished_at is None:
            over = executions.ended(before, "Superseded", now)
            status = executions.recorded(track.draft, over, track, admitted.spec.history_limit, "its inputs changed")
            track.pending["history"] = status.history
        track.execution = executions.begin(admitted.inputs, now)
        track.due, track.drift, track.seen = None, drift, True  # nextRunAt is that of the one before
        if track.requested_at is not None:
            track.pending["last_handled_reconcile_at"] = track.requested_at
        return track.execution

    # -- states without a run

    async def _refuse(self, key: Key, track: Track, state: Stalled) -> None:
        status = advance(track.draft, state, track.generation, executions.at(self._now()))
        await self._write(key, track, status.model_copy(update={"next_run_at": None, "progress": None}), _never)

    async def _suspend(self, key: Key, track: Track, admitted: Admitted, *, settled: bool) -> None:
        now = self._now()
        if track.execution is not None and not settled:
            track.execution = executions.paused(track.execution, now)
        status = advance(track.draft, Kept(settled), track.generation, executions.at(now))
        status = status.model_copy(update={"execution": track.execution, "next_run_at": None, "progress": None})
        track.due = None
        await self._write(key, track, status, partial(self._outdated, admitted))

    async def _rest(self, key: Key, track: Track, admitted: Admitted) -> float | None:
        status = advance(track.draft, _settled(track.status), track.generation, executions.at(self._now()))
        await self._write(key, track, status, partial(self._outdated, admitted))
        interval, now = admitted.spec.interval, self._monotonic()
        if not interval:
            track.due, track.seen = None, True
            return None
        if track.due is None:
            first = not track.seen
            track.due = now + (
                min(interval, _AFTER_RESTART) * self._chance() if first else rest(admitted, self._chance) or 0
            )
        track.seen = True
        track.due = min(track.due, now + 1.1 * interval)
        if track.due > now:
            return track.due - now
        return await self._observe_again(key, track, admitted)

    async def _observe_again(self, key: Key, track: Track, admitted: Admitted) -> float | None:
        """Whether what has converged still is, and what stalled has healed."""
        execution = track.execution
        assert execution is not None
        observed = await self._observe(key, track, admitted, execution)
        converged = execution.result == "Converged"
        track.due = self._monotonic() + (rest(admitted, self._chance) or 0.0)
        match observed:
            case Postponed():
                track.due = self._monotonic() + _POSTPONED
            case Nothing() if not converged:
                healed = Converged(executions.engine_state(execution))
                return await self._conclude(key, track, admitted, execution, healed)
            case Work(tasks) if converged:
                execution = self._begin(track, admitted, drift=_names(tasks))
                return await self._run(key, track, admitted, execution, observed)
            case CreateFailed() | Failed() if converged:
                execution = self._begin(track, admitted)
                state = executions.engine_state(execution)
                error = observed.error
                outcome = CreateFailed(state, error) if isinstance(observed, CreateFailed) else Failed(state, error)
                return await self._conclude(key, track, admitted, execution, outcome)
            case _:
                pass
        return track.due - self._monotonic()

    # -- runs

    async def _go_on(self, key: Key, track: Track, admitted: Admitted) -> float | None:
        execution, now = track.execution, self._monotonic()
        assert execution is not None
        if execution.paused_since is not None:
            track.execution = execution = executions.resumed(execution, self._now())
            track.due = now
        elif track.due is None and not track.seen and track.status.next_run_at is not None:
            track.due = now + track.status.next_run_at.timestamp() - self._now()
        track.seen = True
        if track.due is not None and track.due > now:
            return track.due - now
        return await self._run(key, track, admitted, execution)

    async def _run(
        self, key: Key, track: Track, admitted: Admitted, execution: ExecutionStatus, work: Work | None = None
    ) -> float | None:
        """One run, of work that was observed already or of what the plan is about to ask for."""
        state, timeout = executions.engine_state(execution), admitted.options.timeout
        outcome: Outcome | Postponed
        if timeout is not None and self._now() >= state.deadline(timeout):
            outcome = Failed(state, out_of_time(admitted.options))
        elif not self._misleading(track):
            outcome = await self._drive(key, track, admitted, execution, self._unmade(key, track, admitted, state))
        else:
            observed = work or await self._observe(key, track, admitted, execution)
            match observed:
                case Nothing():
                    outcome = Converged(state.after_run(0))
                case Work(tasks) if await self._progress(key, track, admitted, execution, None):
                    plan = Prepared(admitted.definition.name, tasks)
                    outcome = await self._drive(key, track, admitted, execution, plan)
                case Work():
                    outcome = Interrupted(state)
                case _:
                    outcome = observed
        if isinstance(outcome, Postponed):
            track.due = self._monotonic() + _POSTPONED
            return _POSTPONED
        return await self._conclude(key, track, admitted, execution, outcome)

    def _misleading(self, track: Track) -> bool:
        """Whether somebody who reads the status would believe that no work goes on."""
        return track.status.observed_generation == track.generation and not _has(track.status, "Reconciling")

    def _unmade(self, key: Key, track: Track, admitted: Admitted, state: Execution) -> Plan:
        context = Context(
            name=key.name,
            namespace=key.namespace,
            uid=track.uid,
            generation=track.generation,
            logger=PlanLogger(key),
            execution=state,
            connect=partial(self._clients.kube, key, track.uid),
            connect_official=self._clients.official,
        )

        def make() -> Plan:
            plan = admitted.definition.make(admitted.parameters, context)
            self._declare(key, track.uid, plan)
            return plan

        return unmade(admitted.definition, make)

    async def _observe(self, key: Key, track: Track, admitted: Admitted, execution: ExecutionStatus) -> Observed:
        state, left = executions.engine_state(execution), admitted.options.timeout
        if left is not None and execution.finished_at is None:
            left = max(0.0, state.deadline(left) - self._now())
        try:
            async with asyncio.timeout(left):
                return await observe(self._code, key, self._unmade(key, track, admitted, state), state)
        except TimeoutError:
            return Failed(state, out_of_time(admitted.options))

    async def _drive(
        self, key: Key, track: Track, admitted: Admitted, execution: ExecutionStatus, plan: Plan
    ) -> Outcome | Postponed:
        """Drive a run, and write its progress now and then."""
        stop, pace = self._stop(), Pace(execution.started_at.timestamp(), self._now)
        run, coroutine = drive(self._code, key, plan, executions.engine_state(execution), admitted.options, stop)
        driving = asyncio.create_task(coroutine)
        track.stop = stop
        try:
            while not driving.done():
                await asyncio.wait({driving}, timeout=pace.next())
                if not driving.done():
                    with suppress(ApiError):  # the next one tells it; the work goes on
                        await self._progress(key, track, admitted, execution, _done(run))
            outcome = await driving
            self._ran(run, outcome)
            return outcome
        finally:
            driving.cancel()
            track.stop = None

    async def _progress(
        self, key: Key, track: Track, admitted: Admitted, execution: ExecutionStatus, done: str | None
    ) -> bool:
        going = Progressing("tasks remain", failed=execution.errors > 0)
        status = advance(track.draft, going, track.generation, executions.at(self._now()))
        status = status.model_copy(update={"execution": execution, "next_run_at": None, "progress": done})
        return await self._write(key, track, status, partial(self._outdated, admitted))

    async def _conclude(
        self, key: Key, track: Track, admitted: Admitted, execution: ExecutionStatus, outcome: Outcome
    ) -> float | None:
        before = track.status
        conclusion = conclude(track, admitted, execution, outcome, self._now(), self._chance)
        track.execution = conclusion.execution
        track.due = None if conclusion.delay is None else self._monotonic() + conclusion.delay
        if conclusion.write or self._overdue(execution):
            track.unsaved = conclusion.status
            written = await self._write(key, track, conclusion.status, partial(self._outdated, admitted))
            track.unsaved = None
            if not written:
                return 0.0
            self._announcer.transition(track, before, conclusion.status)
        return conclusion.delay

    def _overdue(self, execution: ExecutionStatus) -> bool:
        """Unfinished 2 s after its start, an execution must not be known to memory alone."""
        return self._now() - execution.started_at.timestamp() >= Pace.FIRST

    def _outdated(self, admitted: Admitted, track: Track) -> bool:
        now = self._admit(track)
        return track.deleting or isinstance(now, Stalled) or now.inputs != admitted.inputs

    async def _write(self, key: Key, track: Track, status: PlanStatus, outdated: Callable[[Track], bool]) -> bool:
        brought = dict(track.pending)
        if not await self._writer.write(key, track, status, outdated):
            return False
        for field, value in brought.items():
            if track.pending.get(field) is value:
                del track.pending[field]
        return True


def _never(_track: Track) -> bool:
    return False


def _has(status: PlanStatus, kind: str) -> bool:
    return any(c.type == kind for c in status.conditions)


def _settled(status: PlanStatus) -> Done | Stalled:
    """The state of rest that the last execution came to; conditions may tell of a spec that was refused since."""
    ready, execution = next(c for c in status.conditions if c.type == "Ready"), status.execution
    assert execution is not None
    reason, message = execution.result or "", ready.message
    if ready.reason != reason:
        message = next((entry.message for entry in status.history if entry.id == execution.id), "")
    return Done(reason, message) if reason == "Converged" else Stalled(reason, message)


def _done(run: Run) -> str | None:
    """Tasks that are done, of those known so far."""
    walk = run.walk
    return None if walk is None else f"{max(walk.count - 1, 0)}/{walk.known}"


def _names(tasks: tuple[AnyTask, ...]) -> str:
    shown = ", ".join(str(task.name) for task in tasks[:NAMES_SHOWN])
    return f"{shown} and {len(tasks) - NAMES_SHOWN} more" if len(tasks) > NAMES_SHOWN else shown
