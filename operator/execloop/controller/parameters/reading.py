"""Where the sources of parameters are read: in threads when they are large, each text once as long as it stays."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from execloop._engine.runtime.threads import Threads
from execloop._yaml import load

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SourceReader", "Text"]

T = TypeVar("T")
Text: TypeAlias = tuple[str, str, str]
"""Which one: the uid and resourceVersion of its object, and its key there."""

_AT_ONCE: Final = 2
_SMALL: Final = 4096
_KEPT: Final = 16 * 2**20


class SourceReader:
    """One for all Plans. What was read is kept as JSON, up to 16 MiB, so that no Plan can change another's.

    A text over 4 KiB is read in one of two threads: a megabyte takes seconds, which the event loop does not have.
    """

    def __init__(self) -> None:
        self._threads, self._places = Threads("parameters"), asyncio.Semaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._kept: dict[Text, str] = {}
        self._size = 0

    async def run(self, work: Callable[[], T], size: int) -> T:
        """Work that grows with `size`, in characters of the sources."""
        if size <= _SMALL:
            return work()
        async with self._places:
            return await self._threads.call(work)

    def load(self, which: Text, text: str) -> Any:
        """What a YAML text says. Raises BadYaml."""
        with self._lock:
            known = self._kept.pop(which, None)
            if known is not None:
                self._kept[which] = known  # the last to be forgotten
        if known is None:
            known = json.dumps(load(text))
            self._keep(which, known)
        return json.loads(known)

    def _keep(self, which: Text, known: str) -> None:
        with self._lock:
            self._size += len(known) - len(self._kept.pop(which, ""))
            self._kept[which] = known
            while self._size > _KEPT:
                self._size -= len(self._kept.pop(next(iter(self._kept))))
