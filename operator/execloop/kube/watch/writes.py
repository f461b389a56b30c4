"""What clients of this process wrote, until a watch has come past it: no Plan reads a state older than its own write.

`ObjectWatch` asks it before it answers from what it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.kube.watch.answers import Identity

__all__ = ["OwnWrites", "Write"]

_MOST = 10_000
_MOST_BYTES = 8 * 2**20


class Write(NamedTuple):
    """What became of a write of one object."""

    lists: int
    """How many lists the watch had begun by then."""
    version: int | None = None
    """The object's; None where the answer has none, or did not come."""
    uid: str = ""
    """Of an object whose deletion was accepted."""
    text: bytes | None = None
    """The object as the server answered it; None: it must be read live."""


class OwnWrites:
    """By Plan and object. A watch reports in the order of versions, so one that is at 7 has reported 6.

    An accepted deletion has no version: it ends with the event about the object's uid. A list that began after a
    write shows it, whatever the versions say: an API server that was restored from a backup begins from older versions.
    """

    def __init__(self) -> None:
        self._of: dict[str, dict[Identity, Write]] = {}
        self._count = self._bytes = 0
        self._distrusted_until = 0

    def add(self, plan: str, place: Identity, write: Write) -> None:
        """Take a write in place of the one before. Its text is left out when many are held already."""
        self.forget(plan, place)
        if write.text is not None and self._bytes + len(write.text) > _MOST_BYTES:
            write = write._replace(text=None)
        self._of.setdefault(plan, {})[place] = write
        self._count += 1
        self._bytes += len(write.text or b"")
        if self._count > _MOST:
            self._of, self._count, self._bytes, self._distrusted_until = {}, 0, 0, write.lists + 1

    def of(self, plan: str, at: int) -> Mapping[Identity, Write]:
        """Return the writes of a Plan that a watch at this version has not come past."""
        writes = self._of.get(plan, {})
        for place in [place for place, one in writes.items() if one.version is not None and one.version <= at]:
            self.forget(plan, place)
        return writes

    def trusted(self, lists: int) -> bool:
        """Return whether all writes are known: after too many they are not, until a list that began later."""
        return lists >= self._distrusted_until

    def reported(self, plan: str, place: Identity, deleted: str | None, at: int) -> None:
        """Take note of an event; `deleted`: the uid of an object that was."""
        write = self._of.get(plan, {}).get(place)
        if write is not None and (deleted == write.uid if write.version is None else write.version <= at):
            self.forget(plan, place)

    def listed(self, lists: int) -> None:
        """Forget what was written before the list of that number began."""
        for plan, writes in tuple(self._of.items()):
            for place in [place for place, write in writes.items() if write.lists < lists]:
                self.forget(plan, place)

    def unread(self, plan: str, place: Identity, lists: int) -> None:
        """Read an object live whose text may not be its last state, until the next list."""
        write = self._of.get(plan, {}).get(place)
        if write is not None and not write.uid:
            self.add(plan, place, Write(lists))

    def forget(self, plan: str, place: Identity) -> None:
        write = self._of.get(plan, {}).pop(place, None)
        if write is not None:
            self._count -= 1
            self._bytes -= len(write.text or b"")
            if not self._of[plan]:
                del self._of[plan]
