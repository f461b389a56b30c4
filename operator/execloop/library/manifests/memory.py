"""What this process knows of each object: while the watch sees no change of it, nothing is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from execloop.kube import ApiError, Health

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from execloop._plans.context import Context
    from execloop._plans.entry import Entry
    from execloop.library.manifests.wanted.wish import Wanted

__all__ = ["Memory"]

_FRESH = 60.0
"""Seconds for which the server's answer to an apply is taken for the state of the object, without a watch."""


class _Known(NamedTuple):
    digest: bytes
    version: str
    health: Health
    execution: str
    """In which it was applied."""
    at: float


class Memory:
    """Of one plan: it lives in `context.memory`, so it ends with the process.

    An object is known as long as its wish is the same and its resourceVersion is the one of then. The operator's
    metadata watch says so without a request. Without the right to watch, one LIST of metadata a kind does.
    """

    def __init__(self, context: Context, full_check_every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._context, self._every, self._clock = context, full_check_every, clock
        self._objects: MutableMapping[Entry, _Known] = context.memory.setdefault("manifests", {})
        self._listed: dict[tuple[str, str, str], dict[tuple[str, str], str]] = {}

    def begin(self, wanted: set[Entry], basis: str) -> None:
        """Begin a look at all objects; at intervals forget everything, so that each is compared in full.

        `basis` identifies the rules of health: with other rules the health of each object is computed again.
        """
        memory, now = self._context.memory, self._clock()
        due = now - memory.setdefault("manifests-since", now) >= self._every
        if due or memory.setdefault("manifests-basis", basis) != basis:
            self._objects.clear()
            memory.update({"manifests-since": now, "manifests-basis": basis})
        for gone in self._objects.keys() - wanted:
            del self._objects[gone]
        self._listed.clear()

    async def health(self, one: Wanted, entry: Entry) -> Health | None:
        """Return the health of an object that has not changed since it was compared or applied; None when unsure."""
        known = self._objects.get(entry)
        if known is None or known.digest != one.digest:
            return None
        version = self._context.version(one.manifest["apiVersion"], entry.kind, entry.namespace, entry.name)
        if version == known.version or self._is_newer(known, version):
            return known.health
        if version is None and (await self._versions(one, entry)).get((entry.namespace, entry.name)) == known.version:
            return known.health
        del self._objects[entry]
        return None

    def _is_newer(self, known: _Known, version: str | None) -> bool:
        """Return whether what was applied a moment ago is newer than what the watch has seen."""
        if known.execution != self._context.execution.id or known.health.state != "Current":
            return False
        if self._clock() - known.at > _FRESH:
            return False
        return not version or (version.isdigit() and known.version.isdigit() and int(version) < int(known.version))

    async def _versions(self, one: Wanted, entry: Entry) -> dict[tuple[str, str], str]:
        place = one.manifest["apiVersion"], entry.kind, entry.namespace
        if place not in self._listed:
            self._listed[place] = {}
            try:
                self._listed[place] = await self._context.kube.versions(*place)
            except ApiError:
                return {}  # then each is compared
        return self._listed[place]

    def remember(self, one: Wanted, entry: Entry, live: dict[str, Any], health: Health, *, applied: bool) -> None:
        """Take an object as the server returned it."""
        execution = self._context.execution.id if applied else ""
        self._objects[entry] = _Known(one.digest, live["metadata"]["resourceVersion"], health, execution, self._clock())

    def forget(self, entry: Entry) -> None:
        self._objects.pop(entry, None)
