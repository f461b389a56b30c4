"""Kubernetes Events (events.k8s.io): at most one for a transition that people care about, never awaited.

`outcome` and `standstill` choose them; the commit and the driver record them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from execloop.controller.api.v1alpha1 import API_VERSION, KIND, PlanStatus
from execloop.controller.status.conditions import cut
from execloop.kube import ApiError

if TYPE_CHECKING:
    from execloop.controller.api.v1alpha1 import ExecutionStatus
    from execloop.controller.watch.snapshot import Snapshot
    from execloop.kube import Kube

__all__ = [
    "EXPIRED",
    "FINISHED",
    "SPENT",
    "UNDONE",
    "EventRecorder",
    "PlanEvent",
    "approval_ignored",
    "approval_wanted",
    "approved",
    "event_body",
    "transition",
]

logger = logging.getLogger(__name__)

_NOTE_BYTES = 1000
_AT_ONCE = 50


class PlanEvent(NamedTuple):
    type: Literal["Normal", "Warning"]
    reason: str
    note: str


EXPIRED: Final = PlanEvent("Normal", "SuspensionExpired", "the suspension has ended, the Plan continues")
SPENT: Final = PlanEvent(
    "Warning",
    "SuspensionEndIgnored",
    "execloop.dev/suspend-until was already in the past, so the suspension has no end",
)
FINISHED: Final = PlanEvent("Normal", "Finished", "spec.ttlAfterFinished has passed: the operator deletes the Plan")
UNDONE: Final = PlanEvent(
    "Warning", "TeardownSkipped", "the Plan was deleted before its finalizer was in place: its teardown did not run"
)


def transition(  # noqa: PLR0911 - one return for each transition
    before: PlanStatus, after: PlanStatus, repairs: str = ""
) -> tuple[PlanEvent, ...]:
    """Return the event of a new status: stalled, first error of an execution, recovered, drift repaired; or none."""
    stalled, was = after.condition("Stalled"), before.condition("Stalled")
    execution, ready = after.execution, after.condition("Ready")
    if stalled is not None:
        if was is None or was.reason != stalled.reason:
            return (PlanEvent("Warning", stalled.reason, stalled.message),)
        return ()
    if execution is None or ready is None:
        return ()
    known = before.execution.errors if before.execution and before.execution.id == execution.id else 0
    if execution.errors and not known and ready.status != "True":
        return (PlanEvent("Warning", ready.reason, after.message),)
    if ready.status == "True" and (execution.errors or was):
        return (PlanEvent("Normal", "Recovered", f"converged after {execution.errors} errors"),)
    if ready.status == "True" and repairs:
        return (PlanEvent("Normal", "DriftRepaired", repairs),)
    return ()


def approved(execution: ExecutionStatus) -> PlanEvent:
    approval = execution.approval
    assert approval is not None
    return PlanEvent("Normal", "Approved", f"{approval.digest} by {approval.by or 'an unknown user'}")


def approval_wanted(asks: str, name: str) -> PlanEvent:
    """Return the event that asks a person, with the command."""
    return PlanEvent("Normal", "ApprovalRequired", f"{asks}; approve with `execloop approve {name}`")


def approval_ignored(approve: str, pending: str) -> PlanEvent:
    note = f"approval {cut(approve, 64)} does not match the pending digest {pending}"
    return PlanEvent("Warning", "ApprovalIgnored", note)


def event_body(namespace: str, name: str, at: datetime, **fields: Any) -> dict[str, Any]:
    """Return an Event of the operator; `name` is a prefix, so that no two have the same."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{name[:230]}.{secrets.token_hex(8)}", "namespace": namespace},
        "eventTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "execloop.dev/operator",
        **fields,
    }


class EventRecorder:
    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._instance = f"execloop-{os.environ.get('HOSTNAME') or os.getpid()}"[:128]
        self._under_way: set[asyncio.Task[None]] = set()

    def record(self, snapshot: Snapshot, event: PlanEvent) -> None:
        """Send an Event that regards a Plan; a flood is cut, and a failure is logged only."""
        if len(self._under_way) >= _AT_ONCE:
            return
        key = snapshot.key
        body = event_body(
            key.namespace,
            key.name,
            datetime.now(UTC),
            reportingInstance=self._instance,
            action="Reconcile",
            reason=event.reason,
            type=event.type,
            note=cut(event.note, _NOTE_BYTES),
            regarding={
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": key.name,
                "namespace": key.namespace,
                "uid": snapshot.uid,
                "resourceVersion": snapshot.resource_version,
            },
        )
        task = asyncio.get_running_loop().create_task(self._send(body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, event: dict[str, Any]) -> None:
        try:
            path = f"/apis/events.k8s.io/v1/namespaces/{event['metadata']['namespace']}/events"
            await self._kube.request("POST", path, body=event)
        except ApiError as error:
            logger.debug("an Event was not written: %s", error)
