"""The watch beside a list: what is new does not wait for the last page. `Stream` runs one for each list."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from execloop.kube.errors import ApiError
from execloop.kube.watch.answers import identity, number, parts

if TYPE_CHECKING:
    from typing import Self

    from execloop.kube.watch.answers import Identity
    from execloop.kube.watch.stream import ListWatch, Receiver

__all__ = ["EarlyWatch"]

logger = logging.getLogger(__name__)


class _Newest(NamedTuple):
    version: int
    exists: bool


class EarlyWatch:
    """Begins where the list stands, and ends with it; the watch after the list continues at `version`.

    A page that comes later is older than what was reported here. An error ends it, and the list continues.
    """

    def __init__(self, list_watch: ListWatch, receiver: Receiver, seconds: float) -> None:
        self._list_watch, self._receiver, self._seconds = list_watch, receiver, seconds
        self._task: asyncio.Task[None] | None = None
        self._newest: dict[Identity, _Newest] = {}
        self.version = ""
        """How far it came; empty when it brought nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait((self._task,))  # which raises the cancellation of this task, and not that of the other
        if kind is None and not self._task.cancelled():
            self._task.result()

    def begin(self, version: str) -> None:
        """Watch from the version of the list on; once."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(version))

    def knows(self, name: Identity) -> bool:
        """Return whether it reported something newer of that object than the list says."""
        return name in self._newest

    def corrected(self, present: set[Identity]) -> set[Identity]:
        """Return what exists now, of what existed at the version of the list."""
        exists = {name for name, newest in self._newest.items() if newest.exists}
        return (present - self._newest.keys()) | exists

    async def _follow(self, version: str) -> None:
        try:
            async with aclosing(self._list_watch.events(version, self._seconds)) as events:
                async for event in events:
                    self._take(event)
        except ApiError as error:
            logger.debug("%s: while they are listed: %s", self._list_watch.name, error)

    def _take(self, event: object) -> None:
        kind, subject = parts(event)
        version = subject["metadata"].get("resourceVersion") or ""
        if kind != "BOOKMARK":
            name, before = identity(subject["metadata"]), self._newest.get(identity(subject["metadata"]))
            if before is None or before.version <= number(version):
                self._newest[name] = _Newest(number(version), kind != "DELETED")
            self._receiver.changed(kind, subject)
        self.version = version or self.version
