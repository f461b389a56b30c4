"""What a Plan owns and what it depends on, as the cluster has it now, with its health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop._plans.entry import Entry, apart
from execloop.resource.fields import API, KIND, state, status

if TYPE_CHECKING:
    from execloop.controller.status.explain import Reference
    from execloop.kube import Kube
    from execloop.resource.fields import Plan

__all__ = ["health", "inventory", "related"]

_MOST = 200
"""Objects that one command reads."""


async def related(kube: Kube, plan: Plan) -> dict[Reference, Plan | None]:
    """Return what a Plan depends on, and the Plans what they depend on; without what may not be read."""
    from execloop.controller.status.explain import dependencies  # noqa: PLC0415 - the command starts without it
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    found: dict[Reference, Plan | None] = {}
    pending = list(dependencies(plan))
    while pending and len(found) < _MOST:
        one = pending.pop(0)
        if one in found:
            continue
        try:
            found[one] = await kube.get(one.api_version, one.kind, one.name, one.namespace)
        except (ApiError, ValueError):
            continue
        if one.kind == KIND and found[one] is not None:
            pending += dependencies(found[one] or {})
    return found


async def inventory(kube: Kube, plan: Plan) -> list[tuple[str, str]]:
    """Return the objects that a Plan owns, and how each is; `?` where that cannot be read."""
    found: list[tuple[str, str]] = []
    for text in apart(map(str, status(plan).get("inventory") or ())):
        entry = Entry.parse(text)
        found.append((entry.label, "?" if len(found) >= _MOST else await _health(kube, entry)))
    return found


async def _health(kube: Kube, entry: Entry) -> str:
    from execloop.kube import ApiError  # noqa: PLC0415 - costly to import

    try:
        resource = await kube.connection.discovery.preferred(entry.group, entry.kind)
        if resource is None:
            return health(None)
        return health(await kube.get(resource.api_version, entry.kind, entry.name, entry.namespace or None))
    except (ApiError, ValueError):
        return "?"


def health(found: dict[str, Any] | None) -> str:
    """Return a Plan's state, and another object's by the rules of kstatus."""
    from execloop.kube import kstatus  # noqa: PLC0415 - costly to import

    if found is not None and (found.get("apiVersion"), found.get("kind")) == (API, KIND):
        return state(found)
    return kstatus.compute(found).state
