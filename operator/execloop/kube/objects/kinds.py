"""What state the objects of well-known kinds are in: the rules of kstatus that are not the same for every kind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from execloop.kube.objects.fields import Fields, Health, Malformed, waits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["KINDS", "Rule"]

Rule: TypeAlias = "Callable[[Fields, datetime], Health]"
"""Of an object's fields and the present time."""

_MAX_INT32 = 2**31 - 1
_TIME_TO_SCHEDULE = timedelta(seconds=15)


def _always(_it: Fields, _now: datetime) -> Health:
    return Health("Current", "it exists")


def _deployment(it: Fields, _now: datetime) -> Health:
    if any(c.type == "Progressing" and c.reason == "ProgressDeadlineExceeded" for c in it.conditions):
        return Health("Failed", "its progress deadline is exceeded")
    rolled_out = it.is_("Progressing", "True")
    # Without a deadline the controller never sets Progressing.
    unlimited = it.number("spec.progressDeadlineSeconds", _MAX_INT32) == _MAX_INT32
    wanted, there = it.number("spec.replicas", 1), it.number("status.replicas", 0)
    updated = it.number("status.updatedReplicas", 0)
    return (
        waits(there < wanted, "replicas are still missing")
        or waits(updated < wanted, "replicas are still to be updated")
        or waits(there > wanted, "surplus replicas are still ending")
        or waits(it.number("status.availableReplicas", 0) < updated, "updated replicas are not yet available")
        or waits(it.number("status.readyReplicas", 0) < wanted, "replicas are not yet ready")
        or waits(
            not unlimited and (rolled_out is None or rolled_out.reason != "NewReplicaSetAvailable"),
            "its new replica set is not yet available",
        )
        or waits(it.is_("Available", "True") is None, "it is not available")
        or Health("Current", "it is available")
    )


def _replica_set(it: Fields, _now: datetime) -> Health:
    wanted = it.number("spec.replicas", 1)
    return (
        waits(it.is_("ReplicaFailure", "True") is not None, "pods cannot be created or deleted")
        or waits(it.number("status.fullyLabeledReplicas", 0) < wanted, "replicas do not yet have every label")
        or waits(it.number("status.availableReplicas", 0) < wanted, "replicas are not yet available")
        or waits(it.number("status.readyReplicas", 0) < wanted, "replicas are not yet ready")
        or waits(it.number("status.replicas", 0) > wanted, "surplus replicas are still ending")
        or Health("Current", "its replicas are available")
    )


def _stateful_set(it: Fields, _now: datetime) -> Health:
    if it.text("spec.updateStrategy.type") == "OnDelete":
        return Health("Current", "a pod is updated only when it is deleted (OnDelete)")
    wanted, there = it.number("spec.replicas", 1), it.number("status.replicas", 0)
    partition = it.number("spec.updateStrategy.rollingUpdate.partition", -1)
    return (
        waits(there < wanted, "replicas are still missing")
        or waits(it.number("status.readyReplicas", 0) < wanted, "replicas are not yet ready")
        or waits(there > wanted, "surplus replicas are still ending")
        or (_revision(it, wanted) if partition == -1 else _partition(it, wanted - partition))
    )


def _partition(it: Fields, wanted: int) -> Health:
    updated = it.number("status.updatedReplicas", 0)
    complete = Health("Current", "its partition is rolled out")
    return waits(updated < wanted, "replicas of its partition are still to be updated") or complete


def _revision(it: Fields, wanted: int) -> Health:
    same = it.text("status.currentRevision") == it.text("status.updateRevision")
    return (
        waits(it.number("status.currentReplicas", 0) < wanted, "replicas are not yet of the current revision")
        or waits(not same, "its update is not yet complete")
        or Health("Current", "its replicas are ready")
    )


def _daemon_set(it: Fields, _now: datetime) -> Health:
    # Its controller always sets them: without, it has not yet seen the object.
    unseen = it.generation("metadata.generation") is None or it.generation("status.observedGeneration") is None
    wanted = it.number("status.desiredNumberScheduled", -1)
    return (
        waits(unseen, "its controller has not yet seen it")
        or waits(wanted == -1, "how many pods it needs is not yet known")
        or waits(it.number("status.currentNumberScheduled", 0) < wanted, "nodes do not have its pod yet")
        or waits(it.number("status.updatedNumberScheduled", 0) < wanted, "pods are still to be updated")
        or waits(it.number("status.numberAvailable", 0) < wanted, "pods are not yet available")
        or waits(it.number("status.numberReady", 0) < wanted, "pods are not yet ready")
        or Health("Current", "its pods are ready")
    )


def _pod(it: Fields, now: datetime) -> Health:
    match it.text("status.phase"):
        case "Succeeded":
            return Health("Current", "it has completed")
        case "Failed":  # it has come to its end; what owns it says whether that is a failure
            return Health("Current", "it has ended with a failure")
        case "Running":
            return _running_pod(it)
        case "Pending":
            return _pending_pod(it, now)
        case "":
            return Health("InProgress", "its phase is not yet known")
        case phase:
            raise Malformed(f"{phase} is not a known status.phase")


def _running_pod(it: Fields) -> Health:
    if it.is_("Ready", "True"):
        return Health("Current", "it is ready")
    containers = it.parts("status.containerStatuses")
    crashing = [its.text("name") for its in containers if its.text("state.waiting.reason") == "CrashLoopBackOff"]
    if crashing:
        return Health("Failed", f"containers crash again and again: {', '.join(crashing)}")
    return Health("InProgress", "it is running, and not yet ready")


def _pending_pod(it: Fields, now: datetime) -> Health:
    unscheduled = it.is_("PodScheduled", "False")
    if unscheduled is None or unscheduled.reason != "Unschedulable":
        return Health("InProgress", "it is pending")
    created = it.instant("metadata.creationTimestamp")
    fresh = created is not None and now - created < _TIME_TO_SCHEDULE
    return waits(fresh, "it is not yet scheduled") or Health("Failed", "no node takes it")


def _job(it: Fields, _now: datetime) -> Health:
    """By these rules a Job is Current from its start; it is Failed when it failed."""
    for condition in (c for c in it.conditions if c.status == "True"):
        if condition.type == "Complete":
            return Health("Current", "it has completed")
        if condition.type == "Failed":
            return Health("Failed", condition.words)
        if condition.type == "Suspended" and it.is_true("spec.suspend"):
            return Health("Current", "it is suspended")
    if it.text("status.startTime"):
        return Health("Current", "it has started")
    return Health("InProgress", "it has not yet started")


def _service(it: Fields, _now: datetime) -> Health:
    unassigned = it.text("spec.type") == "LoadBalancer" and not it.text("spec.clusterIP")
    return waits(unassigned, "it has no address yet") or Health("Current", "it is ready")


def _claim(it: Fields, _now: datetime) -> Health:
    return waits(it.text("status.phase") != "Bound", "it is not yet bound") or Health("Current", "it is bound")


def _definition(it: Fields, _now: datetime) -> Health:
    for condition in it.conditions:
        established = condition.type == "Established"
        if established and condition.status == "True":
            return Health("Current", "it is established")
        refused = condition.status == "False" and (
            condition.type == "NamesAccepted" or (established and condition.reason != "Installing")
        )
        if refused:
            return Health("Failed", condition.words)
    return Health("InProgress", "it is not yet established")


KINDS: Final[Mapping[tuple[str, str], Rule]] = {
    ("", "ConfigMap"): _always,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "Secret"): _always,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "CronJob"): _always,
    ("batch", "Job"): _job,
    ("policy", "PodDisruptionBudget"): _always,  # observed means computed
}
