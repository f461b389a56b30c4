"""The names of the objects that a plan made and answers for: what left its wish is found here."""

from __future__ import annotations

import re
import threading
from collections.abc import MutableSet
from typing import TYPE_CHECKING, Final

from execloop._engine.errors import FatalError
from execloop._plans.entry import Sizes, apart, together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["MOST_BYTES", "Inventory"]

MOST_BYTES: Final = 32 * 1024
"""Of all entries together, as the status has them. Nothing is ever trimmed: a name that is lost is never deleted."""

_ENTRY = re.compile(r"[A-Za-z][^/]*/[^/]*/[^/]+")


def _nothing(_entry: str) -> bool:
    return False


class Inventory(MutableSet[str]):
    """A set of `kind.group/namespace/name`; the group is left out where it is the core one, a namespace stays empty.

    Add an object before it is made and discard it once it is gone: then no crash loses one. What has no place is
    refused where it is added, which is before anything is applied.

    Args:
        entries: What it holds at first, as `stored` returned it.
        secret: Says of an entry whether it has a value that must not be shown; such a one is refused.
        recover: Whether a process may have ended before it wrote what it had added. The plan then also looks for what
            carries its label.

    Raises:
        FatalError: An entry is not the name of an object, holds a Secret's value, or makes more than 32 KiB of them,
            where those of one kind and namespace share its name.

    >>> inventory = Inventory()
    >>> inventory.add("Deployment.apps/web/front")
    >>> "Deployment.apps/web/front" in inventory
    True

    """

    def __init__(
        self, entries: Iterable[str] = (), *, secret: Callable[[str], bool] = _nothing, recover: bool = False
    ) -> None:
        self._entries = set(apart(entries))
        self._sizes, self._lock = Sizes(self._entries), threading.Lock()
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
        with self._lock:
            for entry in self._checked(entries):
                self._entries.add(entry)
                self._sizes.add(entry)

    def checked(self, entries: Iterable[str]) -> set[str]:
        """Return those that are new, and add none: for a plan that has more to make than it makes now.

        Raises FatalError when they could not all be added.
        """
        with self._lock:
            return self._checked(entries)

    def _checked(self, entries: Iterable[str]) -> set[str]:
        new = set(entries) - self._entries
        for entry in sorted(new):
            if not _ENTRY.fullmatch(entry):
                raise FatalError(f"an entry of context.inventory must be 'kind.group/namespace/name', not {entry!r}")
            if self._secret(entry):
                kind = entry.partition("/")[0]
                raise FatalError(f"the name of a {kind} holds a value of a Secret: the status must show no such name")
        if new and (size := self._size_with(new)) > MOST_BYTES:
            raise FatalError(
                f"the names of {len(self._entries) + len(new)} objects have {size} bytes, at most {MOST_BYTES} are kept"
                " in status.inventory: spread the objects over several Plans"
            )
        return new

    def _size_with(self, new: set[str]) -> int:
        for entry in new:
            self._sizes.add(entry)
        size = min(self._sizes.alone, self._sizes.together)
        for entry in new:
            self._sizes.remove(entry)
        return size

    def discard(self, value: str) -> None:
        """Take an entry out; the object is gone, or is another's now."""
        with self._lock:
            if value in self._entries:
                self._entries.remove(value)
                self._sizes.remove(value)

    def snapshot(self) -> tuple[str, ...]:
        """Return the entries in order, whatever other threads add meanwhile."""
        return tuple(sorted(self._entries.copy()))

    def stored(self) -> tuple[str, ...]:
        """Return the entries as the status has them: one by one while they have room, else by kind and namespace."""
        with self._lock:
            entries, alone = self._entries.copy(), self._sizes.alone
        return tuple(sorted(entries)) if alone <= MOST_BYTES else together(entries)
