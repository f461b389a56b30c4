"""The context of a plan that is part of another: the same clients, and what it keeps under its own name."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from execloop._plans.context import connected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execloop._plans.context import Context
    from execloop._plans.inventory import Inventory

__all__ = ["Section", "keep_sections", "owning_part_of", "part_of"]

_PARTS = "parts"


class Section(MutableMapping[str, Any]):
    """What one part keeps, within the state of the whole. A part that keeps nothing has no place there."""

    def __init__(self, whole: MutableMapping[str, Any], name: str) -> None:
        self._whole, self._name = whole, name

    @property
    def _kept(self) -> dict[str, Any]:
        kept: dict[str, Any] = self._whole.get(_PARTS, {}).get(self._name, {})
        return kept

    def _keep(self, kept: dict[str, Any]) -> None:
        parts = {**self._whole.get(_PARTS, {}), self._name: kept}
        self._whole[_PARTS] = {name: each for name, each in parts.items() if each}
        if not self._whole[_PARTS]:
            del self._whole[_PARTS]

    def __getitem__(self, key: str) -> Any:
        return self._kept[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._keep({**self._kept, key: value})

    def __delitem__(self, key: str) -> None:
        kept = dict(self._kept)
        del kept[key]
        self._keep(kept)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


def keep_sections(state: MutableMapping[str, Any], current: Callable[[str], bool]) -> None:
    """Forget what parts kept that are no more."""
    for name in tuple(state.get(_PARTS, {})):
        if not current(name):
            Section(state, name).clear()


def part_of(context: Context, name: str, *, retry: str = "", skip: str = "") -> Context:
    """Return the context of one part. It shares the inventory of the whole."""
    made = replace(
        context,
        state=Section(context.state, name),
        memory=context.memory.setdefault(f"{_PARTS}/{name}", {}),
        part=f"{context.part}.{name}" if context.part else name,
        retry=retry,
        skip=skip,
    )
    return connected(made, lambda: context.kube, lambda: context.api_client, context.version)


def owning_part_of(context: Context, name: str, inventory: Inventory, **requests: str) -> Context:
    """Return the context of a part with an inventory of its own, whose objects carry its label."""
    made = replace(part_of(context, name, **requests), inventory=inventory)
    return connected(made, lambda: context.kube.of_part(made.part), lambda: context.api_client, context.version)
