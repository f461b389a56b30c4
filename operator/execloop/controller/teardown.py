"""The end of a Plan that undoes what it did: its teardown is driven like any execution, then the finalizer goes."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from execloop.controller import executions
from execloop.controller.case import TEARDOWN, Case
from execloop.controller.status import Retrying, Stalled
from execloop.controller.track import FINALIZER
from execloop.controller.work import Nothing, Postponed
from execloop.execution import Again, Converged, Interrupted
from execloop.kube import ApiError

if TYPE_CHECKING:
    from execloop.controller.admit import Admissions, Admitted
    from execloop.controller.finalizer import Finalizer
    from execloop.controller.reporter import Reporter
    from execloop.controller.resource import ExecutionStatus
    from execloop.controller.runs import Runs
    from execloop.controller.sources import Sources
    from execloop.controller.times import Times
    from execloop.controller.track import Key, Track
    from execloop.kube import Kube

__all__ = ["Teardown"]

logger = logging.getLogger(__name__)

_POSTPONED = 1.0
_FORBIDDEN = 403


class Teardown:
    def __init__(
        self,
        kube: Kube,
        admissions: Admissions,
        sources: Sources,
        runs: Runs,
        reporter: Reporter,
        finalizer: Finalizer,
        times: Times,
    ) -> None:
        self._kube, self._admissions, self._sources = kube, admissions, sources
        self._runs, self._reporter, self._finalizer = runs, reporter, finalizer
        self._now, self._monotonic = times.now, times.monotonic

    async def proceed(self, key: Key, track: Track) -> float | None:
        """Seconds until the Plan that is being deleted is due again. Raises ApiError."""
        if FINALIZER not in track.finalizers:
            return None
        if track.abandoned:
            return await self._let_go(key, track, "abandoned by its annotation")
        if (track.object.get("spec") or {}).get("deletionPolicy") != "Teardown":
            return await self._let_go(key, track, "its deletionPolicy is no longer Teardown")
        admitted = self._admissions.of(track)
        if isinstance(admitted, Stalled):
            return await self._cannot(key, track, admitted)
        resolved = await self._sources.resolve(key, track, admitted)
        if isinstance(resolved, Stalled | Retrying):
            return await self._cannot(key, track, resolved)
        return await self._go_on(Case(key, track, admitted, resolved, teardown=True))

    async def _cannot(self, key: Key, track: Track, state: Stalled | Retrying) -> float | None:
        if await self._namespace_goes(key):
            return await self._let_go(key, track, f"its namespace goes, and: {state.message}")
        if isinstance(state, Retrying):
            return await self._reporter.wait(key, track, state)
        await self._reporter.refuse(key, track, state)
        return None

    async def _go_on(self, case: Case) -> float | None:
        key, track = case.key, case.track
        execution = self._begin(case.admitted, track)
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

    def _begin(self, admitted: Admitted, track: Track) -> ExecutionStatus:
        if track.execution is not None and track.execution.inputs == TEARDOWN:
            return track.execution
        limit = admitted.spec.history_limit
        return executions.begin_anew(track, TEARDOWN, self._now(), limit, "it was deleted")

    async def _observe_again(self, case: Case) -> float | None:
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

    async def _let_go(self, key: Key, track: Track, why: str) -> float | None:
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
