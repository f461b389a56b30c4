"""What an ended process made and did not write down: found by the Plan's label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._plans.entry import Entry
from execloop.kube import ApiError

if TYPE_CHECKING:
    from execloop._plans.context import Context
    from execloop.kube import Resource

__all__ = ["recover"]


async def recover(context: Context, wanted: set[Entry]) -> None:
    """Add to the inventory what carries the Plan's label, of each kind that the list or the inventory has.

    Needed only where a process may have ended between an apply and the write of the status. The first generation of a
    Plan has nothing that it could have made without recording it. A kind that may not be listed adds nothing.
    """
    inventory = context.inventory
    if not inventory.recover:
        return
    if context.generation > 1 or inventory:
        known = {(one.group, one.kind) for one in wanted | set(map(Entry.parse, inventory))}
        for group, kind in sorted(known):
            inventory.update(map(str, await _labelled(context, group, kind, wanted)))
    inventory.recover = False


async def _labelled(context: Context, group: str, kind: str, wanted: set[Entry]) -> set[Entry]:
    resource = await context.kube.connection.discovery.preferred(group, kind)
    if resource is None:
        return set()
    try:
        found = await context.kube.versions(resource.api_version, kind, "")
    except ApiError as error:
        if not error.forbidden:
            raise
        places = {one.namespace for one in wanted if (one.group, one.kind) == (group, kind)} | {context.namespace}
        found = {}
        for namespace in sorted(places):
            found |= await _in(context, resource, namespace)
    return {Entry(group, kind, namespace, name) for namespace, name in found}


async def _in(context: Context, resource: Resource, namespace: str) -> dict[tuple[str, str], str]:
    try:
        return await context.kube.versions(resource.api_version, resource.kind, namespace or None)
    except ApiError as error:
        if not error.forbidden:
            raise
        return {}
