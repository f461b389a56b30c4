"""The objects that steps applied: what a teardown deletes, the last step's first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._plans.entry import Entry
from execloop.library.manifests.pruning import Delete, look_at, waits_of
from execloop.library.manifests.recovery import recover
from execloop.library.manifests.wanted.order import rank
from execloop.library.steps.names import applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop._engine.tasks import Task
    from execloop._engine.waits import Wait
    from execloop._plans.context import Context
    from execloop.library.manifests.pruning import Leftover
    from execloop.library.steps.model import Parameters

__all__ = ["Owned", "watched"]


def watched(parameters: Parameters, context: Context) -> list[tuple[str, str, str, str]]:
    """Return the objects that steps apply, where their names are known."""
    return [
        (each.api_version, each.entry.kind, each.entry.namespace, each.entry.name)
        for each in applied(parameters, context)
        if each.known
    ]


class Owned:
    """Of one Plan: its inventory, and after a crash what carries its label."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._context = context
        every = list(applied(parameters, context))
        self._known = {each.entry for each in every}
        self._steps = {(each.entry.group, each.entry.kind, each.entry.name): each.step for each in every}
        self._kinds = {(each.entry.group, each.entry.kind): each.step for each in every}

    async def deletions(self) -> list[Task | Wait]:
        """Return what is to be deleted now: what the last steps applied; the rest waits. Raises ApiError."""
        await recover(self._context, self._known)
        left = [found for text in self._context.inventory if (found := await self._look(text)) is not None]
        if not left:
            return []
        last = max(self._place(one.entry) for one in left)
        now: Sequence[Leftover] = [one for one in left if self._place(one.entry) == last]
        return [*(Delete(one, self._context) for one in now if not one.goes), *waits_of(now)]

    async def _look(self, text: str) -> Leftover | None:
        found = await look_at(self._context.kube, Entry.parse(text))
        if found.live is None:
            self._context.inventory.discard(text)
            return None
        return found

    def _place(self, entry: Entry) -> tuple[int, int]:
        """Return the step of an object, and its place within that; one of a step that left comes last."""
        kind = entry.group, entry.kind
        step = self._steps.get((*kind, entry.name), self._kinds.get(kind, len(self._steps)))
        return step, rank(entry.kind)
