"""Delete a Plan that undoes what it did: drive its teardown like any execution, then remove the finalizer.

`Reconciler` hands a Plan that is being deleted to it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from execloop._engine.execution import Again, Converged, Interrupted
from execloop.controller.plancode.runner import Nothing, Postponed, Refused, RunResult
from execloop.controller.reconcile.commit import AT_REST, Decision, LookAfter
from execloop.controller.reconcile.context import TEARDOWN, ReconcileContext
from execloop.controller.reconcile.execution import executions
from execloop.controller.reconcile.standstill import refused, waiting
from execloop.controller.status.conditions import Retrying, Stalled
from execloop.controller.status.events import event_body
from execloop.controller.timing import backoff
from execloop.controller.watch.snapshot import FINALIZER
from execloop.kube import ApiError

if TYPE_CHECKING:
    from execloop.controller.plancode.runner import Observed
    from execloop.controller.reconcile.execution.driver import ExecutionDriver
    from execloop.controller.reconcile.inputs.parameters import ParameterSources
    from execloop.controller.reconcile.inputs.validation import Validator
    from execloop.controller.status.finalizer import Finalizer
    from execloop.controller.timing import Times
    from execloop.controller.watch.cache import UnderWay
    from execloop.controller.watch.snapshot import Key
    from execloop.kube import Kube

__all__ = ["Teardown"]

logger = logging.getLogger(__name__)

_LOOK_AGAIN = 30.0


class Teardown:
    def __init__(
        self,
        kube: Kube,
        validator: Validator,
        sources: ParameterSources,
        driver: ExecutionDriver,
        finalizer: Finalizer,
        times: Times,
    ) -> None:
        self._kube, self._validator, self._sources = kube, validator, sources
        self._driver, self._finalizer, self._chance = driver, finalizer, times.chance

    async def decide(self, work: UnderWay) -> Decision | None:
        """Return the decision for a Plan that is being deleted; None when nothing is left to do. Raises ApiError."""
        snapshot = work.snapshot
        if FINALIZER not in snapshot.finalizers:
            return None
        if snapshot.abandoned:
            return await self._let_go(work, "abandoned by its annotation")
        if not isinstance(snapshot.spec, dict) or snapshot.spec.get("deletionPolicy") != "Teardown":
            return await self._let_go(work, "its deletionPolicy is no longer Teardown")
        validated = self._validator.of(work.state, snapshot)
        if isinstance(validated, Stalled):
            return await self._cannot(work, validated)
        resolved = await self._sources.resolve(snapshot, validated)
        if isinstance(resolved, Stalled | Retrying):
            return await self._cannot(work, resolved)
        work.inform(TEARDOWN, resolved.versions)
        return await self._continue(ReconcileContext(work, snapshot, validated, resolved, teardown=True))

    async def _cannot(self, work: UnderWay, state: Stalled | Retrying) -> Decision | None:
        """What keeps it from being torn down does not matter once its namespace goes."""
        if await self._namespace_goes(work.snapshot.key, work.state.now):
            return await self._let_go(work, f"its namespace is being deleted, and: {state.message}")
        if isinstance(state, Retrying):
            seconds = backoff(1.0, _LOOK_AGAIN, work.state.wait(), self._chance)
            return waiting(work.snapshot, state, work.state.now, seconds, ())
        return refused(work.snapshot, state, work.state.now, LookAfter(_LOOK_AGAIN))

    async def _continue(self, ctx: ReconcileContext) -> Decision | None:
        work, execution = ctx.work, ctx.snapshot.execution
        if execution is None or execution.inputs != TEARDOWN:
            work.state.begin()
            limit = ctx.spec.history_limit
            ctx = ctx.after(executions.begun(ctx.snapshot, TEARDOWN, ctx.now, limit, "the Plan was deleted"))
        if ctx.execution.finished_at is not None:
            if wait := self._driver.until_due(ctx):
                return self._driver.unchanged(ctx, wait)
            return await self._observe_again(ctx)
        asks = ctx.spec.approval == "Manual" or ctx.snapshot.status.pending is not None
        approval = not (asks and await self._namespace_goes(ctx.key, ctx.now))
        return await self._driver.proceed(ctx, self._after_run, approval=approval)

    async def _after_run(self, ctx: ReconcileContext, ran: RunResult) -> Decision | None:
        """Let go of a Plan that is torn down, or whose namespace goes; else conclude as of any run."""
        match ran.outcome:
            case Converged():
                return await self._let_go(ctx.work, "torn down")
            case Interrupted() | Again(failed=0) | Postponed():
                pass
            case _ if await self._namespace_goes(ctx.key, ctx.now):
                return await self._let_go(ctx.work, "its namespace is being deleted, and its teardown failed")
            case _:
                pass
        return self._driver.decision_after(ctx, ran)

    async def _observe_again(self, ctx: ReconcileContext) -> Decision | None:
        """What could not be undone may be gone by now."""
        observed: Observed = await self._driver.observe(ctx)
        if isinstance(observed, Nothing):
            return await self._let_go(ctx.work, "torn down")
        if not isinstance(observed, Postponed | Interrupted | Refused) and await self._namespace_goes(ctx.key, ctx.now):
            return await self._let_go(ctx.work, "its namespace is being deleted, and its teardown failed")
        return self._driver.observed_again(ctx, observed)

    async def _let_go(self, work: UnderWay, why: str) -> Decision | None:
        logger.info("the finalizer is removed: %s", why, extra={"plan": str(work.snapshot.key)})
        gone = await self._finalizer.remove(work)
        return Decision(work.snapshot.status, AT_REST if gone else LookAfter(0.0), durable=False)

    async def _namespace_goes(self, key: Key, now: float) -> bool:
        """Return whether nothing new is accepted there: tried with an Event, which needs no further right."""
        event = event_body(
            key.namespace,
            "execloop",
            executions.at(now),
            reportingInstance="execloop",
            action="Teardown",
            reason="Probe",
            type="Normal",
            regarding={"kind": "Namespace", "name": key.namespace},
        )
        path = f"/apis/events.k8s.io/v1/namespaces/{key.namespace}/events"
        try:
            await self._kube.request("POST", path, body=event, query={"dryRun": "All"})
        except ApiError as error:
            return error.forbidden and "being terminated" in error.message
        return False
