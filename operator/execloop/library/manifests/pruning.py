"""What left the list is deleted, if it is still this plan's; so is everything at teardown, in the reverse order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from execloop._engine.tasks import Task
from execloop._engine.waits import Wait
from execloop.kube import ApiError
from execloop.library.manifests import diff
from execloop.library.manifests.applying import ObjectsFailed
from execloop.library.manifests.observation import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from execloop._plans.context import Context
    from execloop._plans.entry import Entry
    from execloop.kube import Kube, Resource
    from execloop.library.manifests.applying import Progress

__all__ = ["KEEP", "Delete", "Deletions", "Leftover", "look_at"]

KEEP = "execloop.dev/prune"
"""The annotation that keeps an object which left the list, when its value is `disabled`."""

_PAUSES = (0.05, 0.1, 0.2, 0.4)
_STATE = "deletions"


@dataclass(frozen=True, slots=True)
class Leftover:
    """An object that is to go. Without `live` there is nothing to delete any more."""

    entry: Entry
    live: dict[str, Any] | None = field(default=None, repr=False)
    resource: Resource | None = None

    @property
    def goes(self) -> bool:
        """Return whether it is being deleted already."""
        return self.live is not None and "deletionTimestamp" in self.live["metadata"]


async def look_at(kube: Kube, entry: Entry) -> Leftover:
    """Return what is left of an object that the plan made; nothing, where it is gone, another's, or to be kept.

    Raises ApiError.
    """
    resource = await kube.connection.discovery.preferred(entry.group, entry.kind)
    if resource is None:
        return Leftover(entry)  # with its kind all objects of it went
    live = await kube.get(resource.api_version, entry.kind, entry.name, entry.namespace or None)
    if live is None or not kube.owner.marked(live):
        return Leftover(entry)
    if (live["metadata"].get("annotations") or {}).get(KEEP) == "disabled":
        return Leftover(entry)
    return Leftover(entry, live, resource)


class Deletions:
    """How many objects the execution has pruned: in `context.state`, so that a restart does not begin at 0."""

    def __init__(self, context: Context) -> None:
        self._state, self._id = context.state, context.execution.id

    @property
    def count(self) -> int:
        found = self._state.get(_STATE)
        return int(found["count"]) if isinstance(found, dict) and found.get("execution") == self._id else 0

    def add(self) -> None:
        self._state[_STATE] = {"execution": self._id, "count": self.count + 1}


class Delete(Task):
    """Deletes one object, as it was when the plan looked at it."""

    def __init__(
        self,
        leftover: Leftover,
        context: Context,
        *,
        after: Iterable[Progress] = (),
        own: Progress | None = None,
        counted: Deletions | None = None,
        approval: bool = False,
    ) -> None:
        assert leftover.live is not None
        assert leftover.resource is not None
        self._entry, self._live, self._version = leftover.entry, leftover.live, leftover.resource.api_version
        self._context, self._after, self._own, self._counted = context, after, own, counted
        self.name = f"delete {self._entry.label}"
        self.detail = diff.deleted(self._live)
        self.approval = approval

    async def perform(self) -> None:
        if self._own is not None:
            self._own.started = True
        try:
            await self._after_the_others()
            await self._delete()
        except ApiError as error:
            self._hold(explained(error))
            raise ObjectsFailed(f"{self._entry.label} cannot be deleted: {explained(error)}") from None
        except Wait as wait:
            self._hold(wait.message)
            raise
        finally:
            if self._own is not None:
                self._own.done.set()

    def _hold(self, obstacle: str) -> None:
        if self._own is not None:
            self._own.obstacle = obstacle

    async def _after_the_others(self) -> None:
        for other in self._after:
            await other.passed()

    async def _delete(self) -> None:
        entry, kube = self._entry, self._context.kube
        place = self._version, entry.kind, entry.name, entry.namespace or None
        await kube.delete(*place, only=self._live)
        if self._counted is not None:
            self._counted.add()
        for pause in _PAUSES:
            found = await kube.get(*place)
            if found is None or found["metadata"]["uid"] != self._live["metadata"]["uid"]:
                self._context.inventory.discard(str(entry))
                self._hold("")
                return
            await asyncio.sleep(pause)
        raise Wait(f"{entry.label}: it is being deleted")


def waits_of(leftovers: Sequence[Leftover]) -> list[Wait]:
    """Return a wait for each object that is being deleted already."""
    return [Wait(f"{one.entry.label}: it is being deleted") for one in leftovers if one.goes]
