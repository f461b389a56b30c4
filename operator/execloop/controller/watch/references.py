"""What Plans refer to: when one of those objects changes, the Plan is due. A hint only; what counts is read anew."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from execloop.controller.api.v1alpha1 import API_VERSION, KIND
from execloop.kube import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from execloop.controller.watch.cache import Key
    from execloop.kube import ApiError, EventType, Kube

__all__ = ["Reference", "References"]

logger = logging.getLogger(__name__)


class Reference(NamedTuple):
    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class References:
    """One metadata watch for each kind and namespace that is referred to, for all Plans together, as the operator.

    `changed(key, metadata)` is told of each change. Where a watch is not allowed the Plan looks again in its own time.
    """

    def __init__(self, kube: Kube, namespaces: Sequence[str], changed: Callable[[Key, dict[str, Any]], None]) -> None:
        self._kube, self._namespaces, self._changed = kube, frozenset(namespaces), changed
        self._of: dict[Key, frozenset[Reference]] = {}
        self._to: dict[Reference, set[Key]] = {}
        self._watches: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    def refer(self, key: Key, references: Iterable[Reference]) -> None:
        """From now on a Plan refers to these, and to no others."""
        now, before = frozenset(references), self._of.get(key, frozenset())
        if now == before:
            return
        for reference in before - now:
            self._to[reference].discard(key)
            if not self._to[reference]:
                del self._to[reference]
        for reference in now - before:
            self._to.setdefault(reference, set()).add(key)
        if now:
            self._of[key] = now
        else:
            self._of.pop(key, None)
        self._watch_what_is_needed()

    def forget(self, key: Key) -> None:
        self.refer(key, ())

    def told(self, reference: Reference, metadata: dict[str, Any]) -> None:
        """Something changed, whoever says so."""
        for key in tuple(self._to.get(reference, ())):
            self._changed(key, metadata)

    def _watch_what_is_needed(self) -> None:
        needed = {(r.api_version, r.kind, r.namespace) for r in self._to if not self._watched_anyway(r)}
        for group in self._watches.keys() - needed:
            self._watches.pop(group).cancel()
        for group in needed - self._watches.keys():
            self._watches[group] = asyncio.get_running_loop().create_task(self._watch(*group))

    def _watched_anyway(self, reference: Reference) -> bool:
        """Plans of the namespaces that the operator watches are told by that watch."""
        plan = (reference.api_version, reference.kind) == (API_VERSION, KIND)
        return plan and (not self._namespaces or reference.namespace in self._namespaces)

    async def _watch(self, api_version: str, kind: str, namespace: str) -> None:
        def event(event: EventType, metadata: dict[str, Any]) -> None:  # noqa: ARG001 - each kind of change counts
            self.told(Reference(api_version, kind, metadata.get("namespace", ""), metadata["name"]), metadata)

        denied = partial(self._denied, kind, namespace)
        await Watch(self._kube, api_version, kind, None, event, namespace=namespace, on_denied=denied).run()

    def _denied(self, kind: str, namespace: str, error: ApiError) -> None:
        message = "%s in %s may not be watched, so Plans that refer to them look again in their own time: %s"
        logger.warning(message, kind, namespace or "all namespaces", error)

    async def close(self) -> None:
        for task in self._watches.values():
            task.cancel()
        await asyncio.gather(*self._watches.values(), return_exceptions=True)
