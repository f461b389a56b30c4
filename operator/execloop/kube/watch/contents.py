"""The text of objects that watches hold, within a bound that all of them share."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["MOST_BYTES", "Contents"]

MOST_BYTES = 64 * 2**20
_LONGEST = 2**20
_ENTRY = 300
"""About the bytes that an entry takes besides its text."""


class Contents:
    """Texts by key, from any thread. Above `most` bytes the one that was not read for longest goes first."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._texts: OrderedDict[Hashable, bytes] = OrderedDict()
        self.bytes = 0

    def put(self, key: Hashable, text: bytes) -> None:
        """Hold a text in place of the one before; one of over 1 MiB is not held."""
        with self._lock:
            self._drop(key)
            if len(text) > min(_LONGEST, self._most):
                return
            self._texts[key] = text
            self.bytes += len(text) + _ENTRY
            while self.bytes > self._most:
                self._drop(next(iter(self._texts)))

    def get(self, key: Hashable) -> bytes | None:
        with self._lock:
            text = self._texts.get(key)
            if text is not None:
                self._texts.move_to_end(key)
            return text

    def drop(self, key: Hashable) -> None:
        with self._lock:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        text = self._texts.pop(key, None)
        if text is not None:
            self.bytes -= len(text) + _ENTRY
