"""One reconcile of one Plan: snapshot, validate, resolve, observe, execute, decide, commit.

Level-triggered: it never looks at why it was called.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from execloop._engine.execution import Converged, CreateFailed, Failed
from execloop._engine.walk import Stop
from execloop.controller.plancode.crashes.suspects import PLAN_CRASHES
from execloop.controller.plancode.runner import Nothing, RunResult, TasksLeft
from execloop.controller.reconcile.commit import AT_ONCE, AT_REST, LEAST_WAIT, AtRest, Decision, LookAfter, RunAfter
from execloop.controller.reconcile.context import ReconcileContext, Resolved
from execloop.controller.reconcile.execution import executions
from execloop.controller.reconcile.execution.outcome import next_observation
from execloop.controller.reconcile.inputs.dependencies import UNMET
from execloop.controller.reconcile.preview import asks
from execloop.controller.reconcile.standstill import refused, settled, suspended, waiting
from execloop.controller.reconcile.suspension import ANNOTATIONS, Active, Lifted, Suspended, suspension_of
from execloop.controller.status.conditions import Retrying, Stalled
from execloop.controller.status.events import EXPIRED, FINISHED, UNDONE
from execloop.controller.timing import backoff, to_its_place
from execloop.controller.watch.snapshot import FINALIZER

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.plancode.runner import Observed
    from execloop.controller.reconcile.commit import Commit, Requeue
    from execloop.controller.reconcile.execution.driver import ExecutionDriver
    from execloop.controller.reconcile.inputs.dependencies import Dependencies
    from execloop.controller.reconcile.inputs.parameters import ParameterSources
    from execloop.controller.reconcile.inputs.validation import Validated, Validator
    from execloop.controller.reconcile.teardown import Teardown
    from execloop.controller.status.finalizer import Finalizer
    from execloop.controller.timing import Times
    from execloop.controller.watch.cache import Cache, Key, PlanState, UnderWay
    from execloop.controller.watch.references import Reference

__all__ = ["Reconciler"]

logger = logging.getLogger(__name__)

_AFTER_RESTART = 300.0
_LOOK_AGAIN = 30.0
_SLOW_LOOK = 600.0
"""The same where an event reports what a Plan waits for."""
_NAMES_SHOWN = 5


class Reconciler:
    """`stop` makes what can stop a run."""

    def __init__(
        self,
        cache: Cache,
        validator: Validator,
        sources: ParameterSources,
        dependencies: Dependencies,
        driver: ExecutionDriver,
        teardown: Teardown,
        finalizer: Finalizer,
        commit: Commit,
        times: Times,
        stop: Callable[[], Stop] = Stop,
    ) -> None:
        self._cache, self._validator, self._sources, self._dependencies = cache, validator, sources, dependencies
        self._driver, self._teardown, self._finalizer, self._commit = driver, teardown, finalizer, commit
        self._times, self._chance, self._stop = times, times.chance, stop
        self.closing = False

    async def reconcile(self, key: Key) -> Requeue:
        """Do one reconcile; return when the Plan is due again. Raises ApiError."""
        state = self._cache.get(key)
        if state is None or self.closing or state.under_way is not None:
            return AT_REST
        with state.working(self._stop(), self._times) as work:
            work.reported = self._commit.reported(key)
            if not await self._commit.catch_up(work):
                return AT_ONCE
            decision = await self._decide(work)
            return AT_REST if decision is None else await self._commit.apply(work, decision)

    async def _decide(self, work: UnderWay) -> Decision | None:
        snapshot, state = work.snapshot, work.state
        if snapshot.deleting:
            return await self._teardown.decide(work)
        validated = self._validator.of(state, snapshot)
        if isinstance(validated, Stalled):
            return refused(snapshot, validated, state.now)
        wanted = validated.spec.deletion_policy == "Teardown"
        if wanted is not (FINALIZER in snapshot.finalizers):
            stands = await (self._finalizer.add(work) if wanted else self._finalizer.remove(work))
            if not stands:
                return Decision(snapshot.status, AT_ONCE, durable=False)
        resolved = await self._sources.resolve(snapshot, validated)
        if isinstance(resolved, Resolved):
            work.inform(resolved.inputs, resolved.versions)
            return await self._execution(ReconcileContext(work, snapshot, validated, resolved))
        return self._unresolved(work, validated, resolved)

    def _unresolved(self, work: UnderWay, validated: Validated, resolved: Retrying | Stalled) -> Decision:
        """What the parameters come from is missing, or gives none."""
        snapshot, references = work.snapshot, self._sources.of(work.snapshot.key, validated)
        now = work.state.now
        standing = suspension_of(snapshot, now, suspend=validated.spec.suspend)
        if isinstance(standing, Suspended):
            return suspended(snapshot, standing, now, references, work_done=False)
        if isinstance(resolved, Retrying):
            return self._wait(work, resolved, references)
        by_event = resolved.reason != "AccessDenied"  # that ends with a policy, which no Plan refers to
        seconds = self._until_look(work, references, _LOOK_AGAIN, by_event=by_event)
        return refused(snapshot, resolved, now, LookAfter(seconds), references)

    def _wait(self, work: UnderWay, state: Retrying, references: tuple[Reference, ...]) -> Decision:
        soon = backoff(1.0, _LOOK_AGAIN, work.state.wait(), self._chance)
        seconds = self._until_look(work, references, soon, by_event=not state.unreported)
        return waiting(work.snapshot, state, work.state.now, seconds, references)

    def _until_look(self, work: UnderWay, references: tuple[Reference, ...], soon: float, *, by_event: bool) -> float:
        """Return the seconds until a Plan that waits is looked at, if no event makes it due before.

        Many where an event reports the end of the wait: if all references were watched before this look began,
        nothing that happens after it is missed.
        """
        if by_event and work.reported.issuperset(references):
            return to_its_place(work.snapshot.uid, _SLOW_LOOK, self._times.monotonic())
        return soon

    async def _execution(self, ctx: ReconcileContext) -> Decision | None:
        """Begin an execution, continue the one at hand, or look after a Plan at rest."""
        begins = _begins(ctx)
        at_rest = not begins and ctx.execution.finished_at is not None
        if asks(ctx):
            return await self._driver.answer(ctx)
        references = self._sources.of(ctx.key, ctx.validated)
        standing = suspension_of(ctx.snapshot, ctx.now, suspend=ctx.spec.suspend)
        if isinstance(standing, Suspended):
            return suspended(ctx.snapshot, standing, ctx.now, references, work_done=at_rest)
        ctx = self._not_suspended(ctx, standing)
        if standing == Active() and any(name in ctx.snapshot.annotations for name in ANNOTATIONS):
            await self._finalizer.drop_annotations(ctx.work, ANNOTATIONS)
        if begins and (wait := await self._unmet(ctx)) is not None:
            return wait
        self._commit.refer(ctx.work, references)
        if at_rest:
            return await self._at_rest(ctx)
        if begins:
            ctx = self._begin(ctx)
        return await self._driver.proceed(ctx, self._after_run)

    def _not_suspended(self, ctx: ReconcileContext, standing: Active | Lifted) -> ReconcileContext:
        if isinstance(standing, Active):
            return ctx if ctx.snapshot.status.suspension is None else ctx.with_status(suspension=None)
        if standing.now:
            self._commit.record(ctx.snapshot, EXPIRED)
        return ctx.with_status(suspension=standing.record)

    async def _unmet(self, ctx: ReconcileContext) -> Decision | None:
        """Return the decision to wait for the dependencies; None when an execution may begin."""
        unmet = await self._dependencies.unmet(ctx.snapshot, ctx.validated)
        if unmet is None:
            return None
        sources = self._sources.of(ctx.key, ctx.validated)
        return self._wait(ctx.work, unmet, (*sources, *self._dependencies.of(ctx.key, ctx.validated)))

    def _begin(self, ctx: ReconcileContext, repairs: str = "") -> ReconcileContext:
        ctx.work.state.begin(repairs)
        limit = ctx.spec.history_limit
        return ctx.after(executions.begun(ctx.snapshot, ctx.inputs, ctx.now, limit, "its inputs changed"))

    async def _after_run(self, ctx: ReconcileContext, ran: RunResult) -> Decision:
        return self._driver.decision_after(ctx, ran)

    # -- at rest

    async def _at_rest(self, ctx: ReconcileContext) -> Decision | None:
        left = _time_to_live(ctx)
        if left is not None and left <= 0:
            deleted = await self._finalizer.delete(ctx.work)
            if deleted:
                self._commit.record(ctx.snapshot, FINISHED)
                logger.info("%s", FINISHED.note, extra={"plan": str(ctx.key)})
            return Decision(ctx.snapshot.status, AT_REST if deleted else AT_ONCE, durable=False)
        requeue = self._until_observed(ctx)
        if requeue == AT_ONCE or _is_unsure(ctx):
            return await self._observe_again(ctx)
        return settled(ctx, _sooner(requeue, left))

    def _until_observed(self, ctx: ReconcileContext) -> Requeue:
        """Return when a Plan at rest is observed; at once when what it manages has changed."""
        state, interval, now = ctx.work.state, ctx.spec.interval, self._times.monotonic()
        again = next_observation(ctx, self._chance)
        crashes = ctx.execution.result == PLAN_CRASHES
        if not crashes and not state.seen and _missed_an_edit(ctx):
            return AT_ONCE
        if (crashes or ctx.spec.mode == "Once") and isinstance(again, AtRest):
            return AT_REST
        if state.look_again:
            return AT_ONCE
        if not isinstance(again, RunAfter):
            return AT_REST
        if state.due is None:
            return RunAfter(again.seconds if state.seen else min(interval, _AFTER_RESTART) * self._chance())
        return RunAfter(max(0.0, min(state.due - now, 1.1 * interval)))

    async def _observe_again(self, ctx: ReconcileContext) -> Decision | None:
        """Look whether what converged still is, and whether what stalled has healed."""
        observed: Observed = await self._driver.observe(ctx)
        converged = ctx.execution.result in {"Converged", "Previewed"}
        match observed:
            case Nothing() if not converged:
                healed = Converged(executions.engine_state(ctx.execution))
                return self._driver.decision_after(ctx, RunResult(healed))
            case CreateFailed() | Failed() if converged:
                ctx = self._begin(ctx)
                state = executions.engine_state(ctx.execution)
                return self._driver.decision_after(ctx, RunResult(type(observed)(state, observed.error)))
            case TasksLeft() | Nothing() if ctx.spec.mode == "Preview":
                return self._driver.preview(ctx, observed)
            case TasksLeft(tasks, _, _) if converged:
                if (wait := await self._unmet(ctx)) is not None:
                    return wait
                ctx = self._begin(ctx, repairs=_shown(ctx.names(tasks)))
                return await self._driver.run(ctx, self._after_run, observed)
            case _:
                return self._driver.observed_again(ctx, observed)

    # -- what happens outside a reconcile

    def interrupt(self, key: Key) -> None:
        """Stop the run under way at its next task boundary if what has changed concerns it."""
        state = self._cache.get(key)
        if state is not None and state.under_way is not None and self._commit.to_stop(state.under_way):
            state.under_way.stop.request()

    def referred(self, key: Key, metadata: dict[str, Any]) -> bool:
        """Return whether a change of an object that a Plan refers to makes it due; stop the run that read it."""
        state = self._cache.get(key)
        if state is None:
            return False
        read = (metadata.get("uid"), metadata.get("resourceVersion"))
        if any((uid, version) == read for *_, uid, version in state.versions):
            return False
        if state.under_way is not None and state.snapshot.execution is not None:
            state.under_way.stop.request()
        return True

    def drifted(self, key: Key) -> bool:
        """Return whether a change of what a Plan manages makes it due; one that is under way looks again.

        A plan that waits is asked again a second later: what changes together is looked at once.
        """
        state = self._cache.get(key)
        if state is None:
            return False
        state.change()
        execution = state.snapshot.execution
        if state.under_way is not None or execution is None:
            return False
        if state.awaits_the_world:
            state.hasten(self._times.monotonic() + LEAST_WAIT)
            return True
        return execution.finished_at is not None

    def lost(self, state: PlanState) -> None:
        """Say that a Plan went before its teardown was done: a DELETE outran the PATCH that adds the finalizer."""
        self._commit.record(state.snapshot, UNDONE)
        logger.warning("%s", UNDONE.note, extra={"plan": str(state.key)})

    async def close(self) -> None:
        """Begin nothing more, and stop runs at their next task boundary."""
        self.closing = True
        for key in self._cache:
            self.halt(key)

    def halt(self, key: Key) -> None:
        """Stop the run under way at its next task boundary, whatever it works on."""
        state = self._cache.get(key)
        if state is not None and state.under_way is not None:
            state.under_way.stop.request()

    async def save(self, key: Key) -> None:
        """Write a status that is ahead of the API server's. Raises ApiError."""
        state = self._cache.get(key)
        if state is None or state.under_way is not None or not state.ahead:
            return
        with state.working(Stop(), self._times) as work:
            await self._commit.save(work)


def _begins(ctx: ReconcileContext) -> bool:
    """Return whether changed inputs or a request ask for an execution other than the one at hand."""
    snapshot = ctx.snapshot
    execution = snapshot.execution
    if execution is None:
        return True
    if execution.inputs != (ctx.run_inputs if execution.result == PLAN_CRASHES else ctx.inputs):
        return True
    if snapshot.step_request is not None:
        return True
    requested = snapshot.requested_at
    return requested is not None and requested != snapshot.status.last_handled_reconcile_at


def _missed_an_edit(ctx: ReconcileContext) -> bool:
    """Return whether the inputs may have changed and changed back: a process that died may have worked on others."""
    return ctx.snapshot.generation > ctx.snapshot.status.observed_generation + 1


def _time_to_live(ctx: ReconcileContext) -> float | None:
    ttl, finished = ctx.spec.ttl_after_finished, ctx.execution.finished_at
    if ttl is None or ctx.spec.mode != "Once" or finished is None:
        return None
    return finished.timestamp() + ttl - ctx.now


def _sooner(requeue: Requeue, left: float | None) -> Requeue:
    """Return when it is due that lives so many seconds more, or for ever."""
    if left is None:
        return requeue
    return RunAfter(min(left, requeue.seconds)) if isinstance(requeue, RunAfter) else LookAfter(left)


def _is_unsure(ctx: ReconcileContext) -> bool:
    """Return whether work was found after the execution ended, and waits for a dependency: Ready must stay False."""
    ready = ctx.snapshot.status.condition("Ready")
    return ready is not None and ready.reason in UNMET


def _shown(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return f"{shown} and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else shown
