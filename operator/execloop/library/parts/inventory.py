"""The inventory of one part: a view of the whole one, where its entries are `part:kind.group/namespace/name`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._plans.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PartInventory", "split"]


def split(entry: str) -> tuple[str, str]:
    """Return the part of an entry, empty for none, and what it calls the object.

    >>> split("web:ConfigMap/shop/settings")
    ('web', 'ConfigMap/shop/settings')
    """
    head, slash, rest = entry.partition("/")
    part, colon, kind = head.partition(":")
    return (part, f"{kind}{slash}{rest}") if colon else ("", entry)


class PartInventory(Inventory):
    """What one part made and answers for."""

    def __init__(self, whole: Inventory, part: str) -> None:
        super().__init__(recover=whole.recover)
        self._whole, self._part = whole, part
        self._foreign: frozenset[str] = frozenset()

    def leave(self, foreign: Iterable[str]) -> None:
        """Leave to other parts what they want now: it is not taken in, and so not deleted as what this part left."""
        self._foreign = frozenset(foreign)

    def __contains__(self, entry: object) -> bool:
        return f"{self._part}:{entry}" in self._whole

    def __len__(self) -> int:
        return len(self.snapshot())

    def update(self, entries: Iterable[str]) -> None:
        self._whole.update(self._own(entries))

    def checked(self, entries: Iterable[str]) -> set[str]:
        return {split(entry)[1] for entry in self._whole.checked(self._own(entries))}

    def discard(self, value: str) -> None:
        self._whole.discard(f"{self._part}:{value}")

    def snapshot(self) -> tuple[str, ...]:
        found = (split(entry) for entry in self._whole.snapshot())
        return tuple(entry for part, entry in found if part == self._part)

    def _own(self, entries: Iterable[str]) -> set[str]:
        return {f"{self._part}:{entry}" for entry in entries if entry not in self._foreign}
