"""One reconcile of one Plan: validate, resolve, observe, execute, conclude. Level-triggered: why is not asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop._engine.execution import Again, Converged, CreateFailed, Failed
from execloop.controller.plancode.runner import Nothing, Observed, Postponed, Ran, Work
from execloop.controller.reconcile import executions
from execloop.controller.reconcile.approval import Withheld, decide, pending
from execloop.controller.reconcile.context import ReconcileContext, Resolved
from execloop.controller.reconcile.outcome import rest
from execloop.controller.status.conditions import Done, Retrying, Stalled, has

if TYPE_CHECKING:
    from collections.abc import Container

    from execloop.controller.api.v1alpha1 import ExecutionStatus
    from execloop.controller.reconcile.dependencies import Dependencies
    from execloop.controller.reconcile.parameters import ParameterSources
    from execloop.controller.reconcile.reporter import Reporter
    from execloop.controller.reconcile.runs import Runs
    from execloop.controller.reconcile.teardown import Teardown
    from execloop.controller.reconcile.validation import Validator
    from execloop.controller.status.events import EventRecorder
    from execloop.controller.status.finalizer import Finalizer
    from execloop.controller.timing import Times
    from execloop.controller.watch.cache import Cache, Key, PlanState
    from execloop.controller.watch.references import References

__all__ = ["Reconciler"]

_AFTER_RESTART = 300.0
_POSTPONED = 1.0
_LOOK_AGAIN = 30.0
NAMES_SHOWN = 5


class Reconciler:
    def __init__(
        self,
        cache: Cache,
        validator: Validator,
        sources: ParameterSources,
        dependencies: Dependencies,
        references: References,
        runs: Runs,
        reporter: Reporter,
        recorder: EventRecorder,
        finalizer: Finalizer,
        teardown: Teardown,
        barred: Container[object],
        times: Times,
    ) -> None:
        self._cache, self._validator, self._sources, self._dependencies = cache, validator, sources, dependencies
        self._references, self._runs, self._reporter, self._recorder = references, runs, reporter, recorder
        self._finalizer, self._teardown, self._barred = finalizer, teardown, barred
        self._chance, self._now, self._monotonic = times.chance, times.now, times.monotonic
        self.closing = False

    async def reconcile(self, key: Key) -> float | None:  # noqa: PLR0911 - one return for each way to end early
        """Seconds until the key is due again; None when only a change makes it so. Raises ApiError."""
        track = self._cache.get(key)
        if track is None or self.closing or key in self._barred:
            return None
        await self._reporter.catch_up(key, track)
        if track.deleting:
            return await self._teardown.proceed(key, track)
        validated = self._validator.of(track)
        if isinstance(validated, Stalled):
            self._references.forget(key)
            await self._reporter.refuse(key, track, validated)
            return None
        if not await self._finalizer.want(key, track, wanted=validated.spec.deletion_policy == "Teardown"):
            return 0.0
        resolved = await self._sources.resolve(key, track, validated)
        if isinstance(resolved, Resolved):
            return await self._decide(ReconcileContext(key, track, validated, resolved))
        self._references.refer(key, self._sources.of(key, validated))
        if validated.spec.suspend:
            await self._reporter.suspend(key, track, settled=False)
            return None
        if isinstance(resolved, Retrying):
            return await self._reporter.wait(key, track, resolved)
        await self._reporter.refuse(key, track, resolved)
        return _LOOK_AGAIN

    async def _decide(self, case: ReconcileContext) -> float | None:
        track, begins = case.track, self._begins(case.track, case.inputs)
        resting = not begins and track.execution is not None and track.execution.finished_at is not None
        if begins and not case.spec.suspend and (wait := await self._unmet(case)) is not None:
            return wait
        track.waits = 0
        self._references.refer(case.key, self._sources.of(case.key, case.validated))
        if case.spec.suspend:
            await self._reporter.suspend(case.key, track, settled=resting)
            return None
        if resting:
            return await self._rest(case)
        if begins:
            self._begin(case)
        return await self._go_on(case)

    # -- what goes on outside a reconcile

    def interrupt(self, key: Key) -> None:
        """Stop the run under way at its next task boundary if what has changed concerns it."""
        track = self._cache.get(key)
        if track is None or track.stop is None:
            return
        if self._overtaken(track):
            track.stop.request()

    def _overtaken(self, track: PlanState) -> bool:
        """Whether the execution at hand is not to go on as it is."""
        validated = self._validator.of(track)
        return (
            track.deleting
            or isinstance(validated, Stalled)
            or validated.spec.suspend
            or self._begins(track, self._validator.inputs(track, validated))
        )

    def referred(self, key: Key, metadata: dict[str, Any]) -> bool:
        """Whether a change of something that a Plan refers to makes it due."""
        track = self._cache.get(key)
        if track is None:
            return False
        same = any(
            (uid, version) == (metadata.get("uid"), metadata.get("resourceVersion"))
            for *_, uid, version in track.versions
        )
        if not same and track.stop is not None:
            track.stop.request()
        return not same

    def drifted(self, key: Key) -> bool:
        """Whether something of a Plan at rest has changed, so that it is due now."""
        track = self._cache.get(key)
        if track is None or track.execution is None or track.execution.finished_at is None or track.due is None:
            return False
        track.due = self._monotonic()
        return True

    async def close(self) -> None:
        """Begin nothing more, and stop runs at their next task boundary."""
        self.closing = True
        for key in self._cache:
            track = self._cache.get(key)
            if track is not None and track.stop is not None:
                track.stop.request()

    async def save(self, key: Key) -> None:
        """Write an execution that is ahead of its status."""
        track = self._cache.get(key)
        if track is not None:
            await self._reporter.save(key, track)

    # -- when an execution begins

    def _begins(self, track: PlanState, inputs: str) -> bool:
        """Whether changed inputs or a request ask for an execution other than the one at hand."""
        execution = track.execution
        if execution is None or execution.inputs != inputs:
            return True
        if execution.finished_at is not None and not has(track.status, "Ready"):
            return True  # somebody emptied the status
        return track.requested_at is not None and track.requested_at != track.draft.last_handled_reconcile_at

    async def _unmet(self, case: ReconcileContext) -> float | None:
        """Seconds until the dependencies are looked at again; None when an execution may begin."""
        unmet = await self._dependencies.unmet(case.key, case.track, case.validated)
        if unmet is None:
            return None
        sources = self._sources.of(case.key, case.validated)
        self._references.refer(case.key, (*sources, *self._dependencies.of(case.key, case.validated)))
        return await self._reporter.wait(case.key, case.track, unmet)

    def _begin(self, case: ReconcileContext, drift: str | None = None) -> ExecutionStatus:
        track, limit = case.track, case.spec.history_limit
        execution = executions.begin_anew(track, case.inputs, self._now(), limit, "its inputs changed")
        track.drift = drift
        if track.requested_at is not None:
            track.pending["last_handled_reconcile_at"] = track.requested_at
        return execution

    # -- at rest

    async def _rest(self, case: ReconcileContext) -> float | None:
        track, execution, now = case.track, case.track.execution, self._monotonic()
        assert execution is not None
        if (left := self._time_to_live(case, execution)) is not None and left <= 0:
            await self._finalizer.delete(case.key, track)
            return None
        await self._reporter.settle(case, _settled(execution, track))
        delay = self._until_observed(case, now)
        track.seen = True
        if delay is None or (left is not None and left < delay):
            return left
        if delay > 0:
            return delay
        return await self._observe_again(case, execution)

    def _time_to_live(self, case: ReconcileContext, execution: ExecutionStatus) -> float | None:
        ttl = case.spec.ttl_after_finished
        if ttl is None or case.spec.mode != "Once" or execution.finished_at is None:
            return None
        return execution.finished_at.timestamp() + ttl - self._now()

    def _until_observed(self, case: ReconcileContext, now: float) -> float | None:
        track, interval = case.track, case.spec.interval
        delay = rest(case, self._chance)
        if delay is None:
            track.due = None
            return None
        if track.due is None:
            track.due = now + (delay if track.seen else min(interval, _AFTER_RESTART) * self._chance())
        track.due = min(track.due, now + 1.1 * interval)
        return max(0.0, track.due - now)

    async def _observe_again(self, case: ReconcileContext, execution: ExecutionStatus) -> float | None:
        """Whether what has converged still is, and what stalled has healed."""
        observed, track = await self._runs.observe(case, execution), case.track
        if case.spec.mode == "Preview":
            return await self._preview(case, execution, observed)
        converged = execution.result == "Converged"
        delay = rest(case, self._chance)
        match observed:
            case Postponed():
                delay = _POSTPONED
            case Nothing() if not converged:
                healed = Converged(executions.engine_state(execution))
                return await self._reporter.conclude(case, execution, Ran(healed))
            case Work(tasks) if converged:
                if (wait := await self._unmet(case)) is not None:
                    return wait
                execution = self._begin(case, drift=_shown(case.names(tasks)))
                return await self._run(case, execution, observed)
            case CreateFailed() | Failed() if converged:
                return await self._conclude_anew(case, observed)
            case _:
                pass
        track.due = None if delay is None else self._monotonic() + delay
        return delay

    async def _conclude_anew(self, case: ReconcileContext, observed: CreateFailed | Failed) -> float | None:
        """An error in the observation of a converged Plan is the first of a new execution."""
        execution = self._begin(case)
        state = executions.engine_state(execution)
        outcome = CreateFailed if isinstance(observed, CreateFailed) else Failed
        return await self._reporter.conclude(case, execution, Ran(outcome(state, observed.error)))

    # -- at work

    async def _go_on(self, case: ReconcileContext) -> float | None:
        track, execution = case.track, case.track.execution
        assert execution is not None
        if execution.paused_since is not None:
            track.due = self._monotonic()
            if track.status.pending is None:  # one that awaits approval stays paused while it is observed
                track.execution = execution = executions.resumed(execution, self._now())
        wait = executions.until_due(track, self._now(), self._monotonic())
        return wait or await self._run(case, execution)

    async def _run(
        self,
        case: ReconcileContext,
        execution: ExecutionStatus,
        observed: Observed | None = None,
        *,
        again: bool = True,
    ) -> float | None:
        """A run; without a pause after it the next one too, which most often finds that nothing is left."""
        if case.spec.mode == "Preview":
            return await self._preview(case, execution, observed or await self._runs.observe(case, execution))
        if case.spec.approval == "Manual":
            observed = observed or await self._runs.observe(case, execution)
            if isinstance(observed, Work):
                names = case.names(observed.tasks)
                decision = decide(case, execution, names)
                if isinstance(decision, Withheld):
                    return await self._await_approval(case, execution, decision)
                execution = decision.execution
                if decision.now:
                    self._recorder.approved(case.track, execution)
            if not isinstance(observed, Postponed):  # nothing waits for an approval any more, also after an error
                case.track.execution = execution = executions.resumed(execution, self._now())
        ran = await self._runs.attempt(case, execution, observed)
        if isinstance(ran.outcome, Postponed):
            case.track.due = self._monotonic() + _POSTPONED
            return _POSTPONED
        delay = await self._reporter.conclude(case, execution, ran)
        if again and delay == 0 and isinstance(ran.outcome, Again) and (now := self._going_on(case)) is not None:
            return await self._run(case, now, again=False)
        return delay

    def _going_on(self, case: ReconcileContext) -> ExecutionStatus | None:
        """The execution at hand, unless something has come between."""
        track = case.track
        between = self.closing or self._cache.get(case.key) is not track or self._overtaken(track)
        return None if between else track.execution

    async def _await_approval(
        self, case: ReconcileContext, execution: ExecutionStatus, decision: Withheld
    ) -> float | None:
        await self._reporter.await_approval(case, execution, decision.pending)
        return self._rest_until_due(case)

    async def _preview(self, case: ReconcileContext, execution: ExecutionStatus, observed: Observed) -> float | None:
        match observed:
            case Postponed():
                case.track.due = self._monotonic() + _POSTPONED
                return _POSTPONED
            case Nothing():
                await self._reporter.preview(case, execution, pending(case, execution, ()))
            case Work(tasks):
                await self._reporter.preview(case, execution, pending(case, execution, case.names(tasks)))
            case CreateFailed() | Failed() if execution.finished_at is not None:
                return await self._conclude_anew(case, observed)
            case _:
                return await self._reporter.conclude(case, execution, Ran(observed))
        return self._rest_until_due(case)

    def _rest_until_due(self, case: ReconcileContext) -> float | None:
        delay = rest(case, self._chance)
        case.track.due = None if delay is None else self._monotonic() + delay
        return delay


def _settled(execution: ExecutionStatus, track: PlanState) -> Done | Stalled:
    """The state of rest that an execution came to; the conditions may tell of what has come between."""
    ready, result = next(c for c in track.status.conditions if c.type == "Ready"), execution.result or ""
    message = ready.message
    if ready.reason != result:
        message = next((entry.message for entry in track.status.history if entry.id == execution.id), "")
    return Done(result, message) if result in {"Converged", "Previewed"} else Stalled(result, message)


def _shown(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown} and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else shown
