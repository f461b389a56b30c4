"""The names of the objects that a plan made and answers for: what left its wish is found here."""

from __future__ import annotations

import json
import re
from collections.abc import MutableSet
from typing import TYPE_CHECKING, Final

from execloop._engine.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["MOST_BYTES", "Inventory"]

MOST_BYTES: Final = 32 * 1024
"""Of all entries together, as the status has them. Nothing is ever trimmed: a name that is lost is never deleted."""

_ENTRY = re.compile(r"[A-Za-z][^/]*/[^/]*/[^/]+")
_AROUND = 1
"""Bytes that a list needs for each entry beside its text and quotes."""


def _nothing(_entry: str) -> bool:
    return False


class Inventory(MutableSet[str]):
    """A set of `kind.group/namespace/name`; the group is left out where it is the core one, a namespace stays empty.

    Add an object before it is made and discard it once it is gone: then no crash loses one. What has no place is
    refused where it is added, which is before anything is applied.

    Args:
        entries: What it holds at first.
        secret: Says of an entry whether it has a value that must not be shown; such a one is refused.
        recover: Whether a process may have ended before it wrote what it had added. The plan then also looks for what
            carries its label.

    Raises:
        FatalError: An entry is not the name of an object, holds a Secret's value, or makes more than 32 KiB of them.

    >>> inventory = Inventory()
    >>> inventory.add("Deployment.apps/web/front")
    >>> "Deployment.apps/web/front" in inventory
    True

    """

    def __init__(
        self, entries: Iterable[str] = (), *, secret: Callable[[str], bool] = _nothing, recover: bool = False
    ) -> None:
        self._entries = set(entries)
        self._secret = secret
        self.recover = recover

    def __contains__(self, entry: object) -> bool:
        return entry in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.snapshot())

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Inventory({list(self.snapshot())!r})"

    def add(self, value: str) -> None:
        """Add one entry. Raises FatalError."""
        self.update((value,))

    def update(self, entries: Iterable[str]) -> None:
        """Add all of them, or none. Raises FatalError."""
        self._entries |= self.checked(entries)

    def checked(self, entries: Iterable[str]) -> set[str]:
        """Return those that are new, and add none: for a plan that has more to make than it makes now.

        Raises FatalError when they could not all be added.
        """
        new = set(entries) - self._entries
        for entry in sorted(new):
            if not _ENTRY.fullmatch(entry):
                raise FatalError(f"an entry of context.inventory must be 'kind.group/namespace/name', not {entry!r}")
            if self._secret(entry):
                kind = entry.partition("/")[0]
                raise FatalError(f"the name of a {kind} holds a value of a Secret: the status must show no such name")
        size = sum(map(_size, self._entries)) + sum(map(_size, new))
        if new and size > MOST_BYTES:
            raise FatalError(
                f"the names of {len(self._entries) + len(new)} objects have {size} bytes, at most {MOST_BYTES} are kept"
                " in status.inventory: spread the objects over several Plans"
            )
        return new

    def discard(self, value: str) -> None:
        """Take an entry out; the object is gone, or is another's now."""
        self._entries.discard(value)

    def snapshot(self) -> tuple[str, ...]:
        """Return the entries in order, whatever other threads add meanwhile."""
        return tuple(sorted(self._entries.copy()))


def _size(entry: str) -> int:
    return len(json.dumps(entry, ensure_ascii=False).encode()) + _AROUND
