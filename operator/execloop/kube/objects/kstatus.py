"""What state an object is in, read from the object alone: the rules of kstatus (sigs.k8s.io/cli-utils).

Deletion and observedGeneration come first, then the conditions Reconciling and Stalled, then what is known of a kind,
then the condition Ready; an object that says nothing of itself is Current, and so is a Job that has started.
Messages have no counters: they stay the same while the state does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from execloop.kube.objects.fields import Fields, Health, Malformed, State, waits
from execloop.kube.objects.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Health", "State", "compute"]


def compute(found: Mapping[str, Any] | None, *, now: datetime | None = None) -> Health:
    """The state of an object as the API server returned it, None for one that does not exist. Never raises.

    `now` matters to a Pod that no node takes: for 15 s it is still InProgress.
    """
    if found is None:
        return Health("NotFound", "it does not exist")
    try:
        it = Fields(found)
        group = it.text("apiVersion").rpartition("/")[0]
        rule = KINDS.get((group, it.text("kind")), _ready)
        return _deleted(it) or _unobserved(it) or _abnormal(it) or rule(it, now or datetime.now(UTC))
    except Malformed as problem:
        return Health("Unknown", f"its state cannot be read: {problem}")


def _deleted(it: Fields) -> Health | None:
    return Health("Terminating", "it is being deleted") if it.text("metadata.deletionTimestamp") else None


def _unobserved(it: Fields) -> Health | None:
    generation, observed = it.generation("metadata.generation"), it.generation("status.observedGeneration")
    if generation is None or observed is None:
        return None
    return waits(generation != observed, "its controller has not yet seen the latest change")


def _abnormal(it: Fields) -> Health | None:
    """The first of the two standard conditions that is True decides."""
    for condition in it.conditions:
        if condition.status == "True" and condition.type in {"Reconciling", "Stalled"}:
            return Health("Failed" if condition.type == "Stalled" else "InProgress", condition.words)
    return None


def _ready(it: Fields, _now: datetime) -> Health:
    """By the condition Ready, for a kind that nothing else is known of."""
    for condition in it.conditions:
        if condition.type == "Ready" and condition.status in {"False", "Unknown"}:
            return Health("InProgress", condition.words)
        if condition.type == "Ready" and condition.status == "True":
            return Health("Current", "it is ready")
    return Health("Current", "it exists, and reports no state")
