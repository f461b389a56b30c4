"""The end of a Plan that undoes what it did: its teardown is driven like any execution, then the finalizer goes."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from execloop._engine.execution import Again, Converged, Interrupted
from execloop.controller.plancode.runner import Nothing, Postponed
from execloop.controller.reconcile import executions
from execloop.controller.reconcile.context import TEARDOWN, ReconcileContext
from execloop.controller.status.conditions import Retrying, Stalled
from execloop.controller.watch.cache import FINALIZER
from execloop.kube import ApiError

if TYPE_CHECKING:
    from execloop.controller.api.v1alpha1 import ExecutionStatus
    from execloop.controller.reconcile.parameters import ParameterSources
    from execloop.controller.reconcile.reporter import Reporter
    from execloop.controller.reconcile.runs import Runs
    from execloop.controller.reconcile.validation import Validated, Validator
    from execloop.controller.status.finalizer import Finalizer
    from execloop.controller.timing import Times
    from execloop.controller.watch.cache import Key, PlanState
    from execloop.kube import Kube

__all__ = ["Teardown"]

logger = logging.getLogger(__name__)

_POSTPONED = 1.0
_FORBIDDEN = 403


class Teardown:
    def __init__(
        self,
        kube: Kube,
        validator: Validator,
        sources: ParameterSources,
        runs: Runs,
        reporter: Reporter,
        finalizer: Finalizer,
        times: Times,
    ) -> None:
        self._kube, self._validator, self._sources = kube, validator, sources
        self._runs, self._reporter, self._finalizer = runs, reporter, finalizer
        self._now, self._monotonic = times.now, times.monotonic

    async def proceed(self, key: Key, track: PlanState) -> float | None:
        """Seconds until the Plan that is being deleted is due again. Raises ApiError."""
        if FINALIZER not in track.finalizers:
            return None
        if track.abandoned:
            return await self._let_go(key, track, "abandoned by its annotation")
        if (track.object.get("spec") or {}).get("deletionPolicy") != "Teardown":
            return await self._let_go(key, track, "its deletionPolicy is no longer Teardown")
        validated = self._validator.of(track)
        if isinstance(validated, Stalled):
            return await self._cannot(key, track, validated)
        resolved = await self._sources.resolve(key, track, validated)
        if isinstance(resolved, Stalled | Retrying):
            return await self._cannot(key, track, resolved)
        return await self._go_on(ReconcileContext(key, track, validated, resolved, teardown=True))

    async def _cannot(self, key: Key, track: PlanState, state: Stalled | Retrying) -> float | None:
        if await self._namespace_goes(key):
            return await self._let_go(key, track, f"its namespace goes, and: {state.message}")
        if isinstance(state, Retrying):
            return await self._reporter.wait(key, track, state)
        await self._reporter.refuse(key, track, state)
        return None

    async def _go_on(self, case: ReconcileContext) -> float | None:
        key, track = case.key, case.track
        execution = self._begin(case.validated, track)
        if execution.paused_since is not None:
            track.execution = execution = executions.resumed(execution, self._now())
        if wait := executions.until_due(track, self._now(), self._monotonic()):
            return wait
        if execution.finished_at is not None:
            return await self._observe_again(case)
        ran = await self._runs.attempt(case, execution)
        match ran.outcome:
            case Postponed():
                return _POSTPONED
            case Converged():
                return await self._let_go(key, track, "torn down")
            case Interrupted() | Again(failed=0):
                pass
            case _ if await self._namespace_goes(key):
                return await self._let_go(key, track, "its namespace goes, and its teardown failed")
            case _:
                pass
        return await self._reporter.conclude(case, execution, ran)

    def _begin(self, validated: Validated, track: PlanState) -> ExecutionStatus:
        if track.execution is not None and track.execution.inputs == TEARDOWN:
            return track.execution
        limit = validated.spec.history_limit
        return executions.begin_anew(track, TEARDOWN, self._now(), limit, "it was deleted")

    async def _observe_again(self, case: ReconcileContext) -> float | None:
        """What could not be undone may be gone by now."""
        execution = case.track.execution
        assert execution is not None
        if isinstance(await self._runs.observe(case, execution), Nothing):
            return await self._let_go(case.key, case.track, "torn down")
        if await self._namespace_goes(case.key):
            return await self._let_go(case.key, case.track, "its namespace goes, and its teardown failed")
        delay = case.spec.interval or case.spec.error_backoff.max
        case.track.due = self._monotonic() + delay
        return delay

    async def _let_go(self, key: Key, track: PlanState, why: str) -> float | None:
        logger.info("the finalizer is taken away: %s", why, extra={"plan": str(key)})
        return None if await self._finalizer.want(key, track, wanted=False) else 0.0

    async def _namespace_goes(self, key: Key) -> bool:
        """Whether nothing new is accepted there any more: tried with an Event, which needs no further right."""
        event = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"execloop-{secrets.token_hex(8)}", "namespace": key.namespace},
            "eventTime": executions.at(self._now()).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "execloop.dev/operator",
            "reportingInstance": "execloop",
            "action": "Teardown",
            "reason": "Probe",
            "type": "Normal",
            "regarding": {"kind": "Namespace", "name": key.namespace},
        }
        path = f"/apis/events.k8s.io/v1/namespaces/{key.namespace}/events"
        try:
            await self._kube.request("POST", path, body=event, query={"dryRun": "All"})
        except ApiError as error:
            return error.status == _FORBIDDEN and "being terminated" in error.message
        return False
