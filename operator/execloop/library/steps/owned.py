"""The objects that steps applied: what a teardown deletes, the last step's first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._plans.entry import Entry
from execloop.library.cel.template import expressions
from execloop.library.manifests.pruning import Delete, look_at, waits_of
from execloop.library.manifests.recovery import recover
from execloop.library.manifests.wanted.order import rank

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from execloop._engine.tasks import Task
    from execloop._engine.waits import Wait
    from execloop._plans.context import Context
    from execloop.library.manifests.pruning import Leftover
    from execloop.library.steps.model import Parameters

__all__ = ["Owned", "watched"]


def watched(parameters: Parameters, namespace: str) -> list[tuple[str, str, str, str]]:
    """Return the objects that steps apply, so far as their names are known before any expression is evaluated."""
    return [
        (str(manifest["apiVersion"]), entry.kind, entry.namespace, entry.name)
        for manifest, entry in _fixed(parameters, namespace)
        if not any(expressions([manifest["apiVersion"], *entry]))
    ]


def _fixed(parameters: Parameters, namespace: str) -> Iterator[tuple[dict[str, object], Entry]]:
    for step in parameters.ordered:
        for manifest in step.do.apply or ():
            yield manifest, Entry.of(manifest, manifest["metadata"].get("namespace") or namespace)


class Owned:
    """Of one Plan: its inventory, and after a crash what carries its label."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._context = context
        entries = [entry for _, entry in _fixed(parameters, context.namespace)]
        self._known = set(entries)
        self._places = {(entry.group, entry.kind, entry.name): place for place, entry in enumerate(entries)}
        self._kinds = {(entry.group, entry.kind): place for place, entry in enumerate(entries)}

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
        named = self._places.get((entry.group, entry.kind, entry.name))
        fallback = self._kinds.get((entry.group, entry.kind), len(self._kinds))
        return (fallback if named is None else named), rank(entry.kind)
