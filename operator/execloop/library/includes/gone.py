"""Objects of includes that left the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._plans.entry import Entry
from execloop.library.manifests.pruning import Delete, look_at, waits_of
from execloop.library.manifests.wanted.order import rank
from execloop.library.parts.context import owning_part_of
from execloop.library.parts.inventory import PartInventory, split
from execloop.library.parts.tasks import named

if TYPE_CHECKING:
    from collections.abc import Collection

    from execloop._engine.tasks import Task
    from execloop._engine.waits import Wait
    from execloop._plans.context import Context

__all__ = ["deletions"]


async def deletions(context: Context, current: Collection[str], wanted: frozenset[str]) -> list[Task | Wait]:
    """Return the deletions of what includes made that are not in the list any more. Raises ApiError."""
    found: list[Task | Wait] = []
    gone = {_path(text) for text in context.inventory if split(text)[0] not in current}
    for path in sorted(gone):
        found += await _of(context, path, wanted)
    return found


def _path(text: str) -> tuple[str, ...]:
    """Return the include of an entry, and those within it."""
    return tuple(text.partition("/")[0].split(":")[:-1])


async def _of(context: Context, path: tuple[str, ...], wanted: frozenset[str]) -> list[Task | Wait]:
    own = context
    for part in path:
        own = owning_part_of(own, part, PartInventory(own.inventory, part))
    left = []
    for text in [text for text in own.inventory.snapshot() if not _path(text)]:
        found = await look_at(own.kube, Entry.parse(text))
        if found.live is None or text in wanted:
            own.inventory.discard(text)
        else:
            left.append(found)
    left.sort(key=lambda one: (-rank(one.entry.kind), str(one.entry)))
    name = ": ".join(path) or "includes"
    return named(name, [*(Delete(one, own) for one in left if not one.goes), *waits_of(left)])
