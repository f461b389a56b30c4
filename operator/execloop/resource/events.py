"""The Events of a Plan, which the API server keeps for an hour, unless it is set otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop.resource.fields import KIND, Plan, key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.kube import Kube

__all__ = ["events_of", "seen"]


async def events_of(kube: Kube, plan: Plan) -> list[dict[str, Any]]:
    """Return the Events of a Plan, oldest first. Raises ApiError."""
    namespace, name = key(plan)
    selector = f"involvedObject.kind={KIND},involvedObject.name={name},involvedObject.uid={plan['metadata']['uid']}"
    answer = await kube.request("GET", f"/api/v1/namespaces/{namespace}/events", query={"fieldSelector": selector})
    return sorted(answer.get("items") or (), key=seen)


def seen(event: Mapping[str, Any]) -> str:
    """Return when an Event was seen last; the fields of old and new Events differ."""
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"]["creationTimestamp"]
    )
