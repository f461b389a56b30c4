"""Kubernetes Events (events.k8s.io): one for a transition that people care about, never awaited."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from execloop.controller.api.v1alpha1 import API_VERSION, KIND, PlanStatus
from execloop.controller.status.conditions import cut
from execloop.kube import ApiError

if TYPE_CHECKING:
    from execloop.controller.api.v1alpha1 import ExecutionStatus
    from execloop.controller.watch.cache import PlanState
    from execloop.kube import Kube

__all__ = ["EventRecorder"]

logger = logging.getLogger(__name__)

_NOTE_BYTES = 1000
_AT_ONCE = 50


class EventRecorder:
    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._instance = f"execloop-{os.environ.get('HOSTNAME') or os.getpid()}"[:128]
        self._under_way: set[asyncio.Task[None]] = set()

    def transition(self, track: PlanState, before: PlanStatus, after: PlanStatus) -> None:
        """Stalled, the first error of an execution, recovery after errors, drift repaired; nothing else."""
        stalled = next((c for c in after.conditions if c.type == "Stalled"), None)
        was = next((c for c in before.conditions if c.type == "Stalled"), None)
        execution, ready = after.execution, next((c for c in after.conditions if c.type == "Ready"), None)
        if stalled and (was is None or was.reason != stalled.reason):
            self._tell(track, "Warning", stalled.reason, stalled.message)
        if execution is None or ready is None or stalled:
            return
        known = before.execution.errors if before.execution and before.execution.id == execution.id else 0
        if execution.errors and not known and ready.status != "True":
            self._tell(track, "Warning", ready.reason, ready.message)
        elif ready.status == "True" and (execution.errors or was):
            self._tell(track, "Normal", "Recovered", f"converged after {execution.errors} errors")
        elif ready.status == "True" and track.drift:
            self._tell(track, "Normal", "DriftRepaired", track.drift)

    def approved(self, track: PlanState, execution: ExecutionStatus) -> None:
        approval = execution.approval
        if approval is not None:
            self._tell(track, "Normal", "Approved", f"{approval.digest} by {approval.by or 'somebody unknown'}")

    def approval_ignored(self, track: PlanState, wanted: str) -> None:
        note = f"{cut(str(track.approve), 64)} is not what is pending now, which is {wanted}"
        self._tell(track, "Warning", "ApprovalIgnored", note)

    def _tell(self, track: PlanState, kind: Literal["Normal", "Warning"], reason: str, note: str) -> None:
        if len(self._under_way) >= _AT_ONCE:  # a flood of them helps nobody
            return
        metadata = track.metadata
        event: dict[str, Any] = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name'][:230]}.{secrets.token_hex(8)}",
                "namespace": metadata["namespace"],
            },
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "execloop.dev/operator",
            "reportingInstance": self._instance,
            "action": "Reconcile",
            "reason": reason,
            "type": kind,
            "note": cut(note, _NOTE_BYTES),
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
        }
        task = asyncio.get_running_loop().create_task(self._send(event))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, event: dict[str, Any]) -> None:
        try:
            path = f"/apis/events.k8s.io/v1/namespaces/{event['metadata']['namespace']}/events"
            await self._kube.request("POST", path, body=event)
        except ApiError as error:
            logger.debug("an Event was not written: %s", error)
