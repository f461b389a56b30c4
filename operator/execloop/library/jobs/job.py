"""The Job object of one attempt, and what its status says."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from execloop.library.jobs.identity import job_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop._plans.context import Context
    from execloop._plans.duration import Duration
    from execloop.library.jobs.identity import Instance

__all__ = ["ATTEMPT", "GRAPH", "INPUT", "RECORDED", "STEP", "Verdict", "job_of", "verdict"]

GRAPH = "execloop.dev/graph"
"""Label of all Jobs of one Plan, and of their pods."""
STEP = "execloop.dev/step"
INPUT = "execloop.dev/input"
"""Label: the hash of the inputs."""
ATTEMPT = "execloop.dev/attempt"
RECORDED = "execloop.dev/recorded"
"""Label of a Job whose result is in the Plan's status: it may expire."""

_POD_SECURITY = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_REQUESTS = {"requests": {"cpu": "50m", "memory": "64Mi"}}


class Verdict(NamedTuple):
    """How a Job stands."""

    state: Literal["running", "succeeded", "failed"]
    reason: str = ""


def verdict(job: Mapping[str, Any]) -> Verdict:
    """Return how a Job stands, by its terminal conditions."""
    for condition in job.get("status", {}).get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") == "Complete":
            return Verdict("succeeded")
        if condition.get("status") == "True" and condition.get("type") == "Failed":
            said = (condition.get("reason"), condition.get("message"))
            return Verdict("failed", ": ".join(str(part) for part in said if part) or "failed")
    return Verdict("running")


def job_of(
    context: Context, graph: str, instance: Instance, attempt: int, template: dict[str, Any], timeout: Duration | None
) -> dict[str, Any]:
    """Return the Job of an attempt. What the template says is kept; it is filled in so that `restricted` admits it."""
    labels = {
        GRAPH: graph,
        STEP: instance.step.name,
        INPUT: instance.id,
        ATTEMPT: str(attempt),
    }
    spec: dict[str, Any] = {"backoffLimit": 0, "template": _pod(template, labels)}
    if timeout is not None:
        spec["activeDeadlineSeconds"] = max(1, int(timeout.total_seconds()))
    metadata: dict[str, Any] = {"name": job_name(context.name, instance, attempt, graph), "labels": labels}
    if context.uid:
        metadata["ownerReferences"] = [
            {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "name": context.name, "uid": context.uid}
        ]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def _pod(template: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    pod = copy.deepcopy(template)
    metadata, spec = dict(pod.get("metadata") or {}), pod["spec"]
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    spec.setdefault("restartPolicy", "Never")
    if "serviceAccountName" not in spec:
        spec.setdefault("automountServiceAccountToken", False)
    spec["securityContext"] = {**_POD_SECURITY, **(spec.get("securityContext") or {})}
    for container in (*spec["containers"], *(spec.get("initContainers") or ())):
        container["securityContext"] = {**_CONTAINER_SECURITY, **(container.get("securityContext") or {})}
        container.setdefault("resources", copy.deepcopy(_REQUESTS))
    return {**pod, "metadata": metadata}
