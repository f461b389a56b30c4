"""What Plans refer to: when one of those objects changes, the Plan is due. A reconcile reads the object itself."""

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
    from execloop.kube import ApiError, EventType, Kube, Restart

__all__ = ["Reference", "References"]

logger = logging.getLogger(__name__)

_SHARES = 10
"""Of the watches at most; a namespace has one."""


class Reference(NamedTuple):
    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class _Group(NamedTuple):
    """What one watch covers."""

    api_version: str
    kind: str
    namespace: str


class _Watched(NamedTuple):
    watch: Watch
    task: asyncio.Task[None]
    references: dict[Reference, None]


class References:
    """One metadata watch for each kind and namespace that is referred to, for all Plans together, as the operator.

    `changed(key, metadata)` learns of each change. Where a watch is not allowed the Plan looks again with backoff.
    `sees_all_plans`: whether the watch of Plans reports every Plan anyway. `from_the_start`: whether what a watch finds
    first counts as a change. With `most_watches` other objects are not watched. `unwatched(key)` learns of each Plan
    that refers to objects which may not be watched any longer.
    """

    def __init__(
        self,
        kube: Kube,
        namespaces: Sequence[str],
        changed: Callable[[Key, dict[str, Any]], None],
        restarted: Callable[[Restart], None] = lambda _reason: None,
        *,
        sees_all_plans: bool = True,
        from_the_start: bool = True,
        most_watches: int | None = None,
        unwatched: Callable[[Key], None] = lambda _key: None,
    ) -> None:
        self._unwatched = unwatched
        self._kube, self._namespaces, self._changed = kube, frozenset(namespaces), changed
        self._sees_all_plans = sees_all_plans
        self._restarted, self._from_the_start, self._most = restarted, from_the_start, most_watches
        self._of: dict[Key, dict[Reference, None]] = {}
        self._to: dict[Reference, dict[Key, None]] = {}
        self._groups: dict[_Group, _Watched] = {}

    def refer(self, key: Key, references: Iterable[Reference]) -> None:
        """From now on a Plan refers to these, and to no others."""
        now, before = dict.fromkeys(references), self._of.get(key, {})
        if now == before:
            return
        for reference in now:
            if reference not in before:
                self._add(key, reference)
        for reference in before:
            if reference not in now:
                self._remove(key, reference)
        if now:
            self._of[key] = now
        else:
            self._of.pop(key, None)

    def forget(self, key: Key) -> None:
        self.refer(key, ())

    def reported(self, key: Key) -> frozenset[Reference]:
        """Return those of a Plan's references of which every change from now on is reported."""
        return frozenset(reference for reference in self._of.get(key, ()) if self._is_reported(reference))

    def _is_reported(self, reference: Reference) -> bool:
        if self._watched_anyway(reference):
            return True
        watched = self._groups.get(_group(reference))
        return watched is not None and reference in watched.references and watched.watch.follows

    def changed(self, reference: Reference, metadata: dict[str, Any]) -> None:
        """Call back for each Plan that refers to an object that changed, whichever watch reported it."""
        for key in tuple(self._to.get(reference, ())):
            self._changed(key, metadata)

    def _add(self, key: Key, reference: Reference) -> None:
        self._to.setdefault(reference, {})[key] = None
        if self._watched_anyway(reference):
            return
        group = _group(reference)
        if group not in self._groups:
            if self._is_full(group.namespace):
                logger.warning("%s is not watched: there are as many watches as there may be", reference)
                return
            watch = self._watch(group)
            task = asyncio.get_running_loop().create_task(watch.run())
            self._groups[group] = _Watched(watch, task, {})
        self._groups[group].references[reference] = None

    def _is_full(self, namespace: str) -> bool:
        """Return whether there is no watch left, in all or for one namespace."""
        if self._most is None:
            return False
        own = sum(group.namespace == namespace for group in self._groups)
        return len(self._groups) >= self._most or own >= self._most // _SHARES

    def _remove(self, key: Key, reference: Reference) -> None:
        del self._to[reference][key]
        if self._to[reference]:
            return
        del self._to[reference]
        group = _group(reference)
        watched = self._groups.get(group)
        if watched is not None:
            watched.references.pop(reference, None)
            if not watched.references:
                self._groups.pop(group).task.cancel()

    def _watched_anyway(self, reference: Reference) -> bool:
        """Return whether the watch of Plans reports it: where that sees all Plans of the namespaces, none of which it
        leaves out for their labels or their ranges.
        """
        plan = self._sees_all_plans and (reference.api_version, reference.kind) == (API_VERSION, KIND)
        return plan and (not self._namespaces or reference.namespace in self._namespaces)

    def _watch(self, group: _Group) -> Watch:
        api_version, kind, namespace = group

        def event(event: EventType, metadata: dict[str, Any]) -> None:  # noqa: ARG001 - each kind of change counts
            if not (self._from_the_start or watch.current):
                return
            # A cluster-scoped object has no namespace; a Plan refers to it as if it were in its own.
            place = metadata.get("namespace", namespace)
            self.changed(Reference(api_version, kind, place, metadata["name"]), metadata)

        denied = partial(self._denied, group)
        watch = Watch(
            self._kube,
            api_version,
            kind,
            None,
            event,
            namespace=namespace,
            on_denied=denied,
            restarted=self._restarted,
        )
        return watch

    def _denied(self, group: _Group, error: ApiError) -> None:
        _, kind, namespace = group
        message = "%s in %s may not be watched, so Plans that refer to them look again at their interval: %s"
        logger.warning(message, kind, namespace or "all namespaces", error)
        watched = self._groups.get(group)
        for reference in tuple(watched.references) if watched is not None else ():
            for key in tuple(self._to.get(reference, ())):
                self._unwatched(key)

    async def close(self) -> None:
        tasks = [watched.task for watched in self._groups.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _group(reference: Reference) -> _Group:
    return _Group(reference.api_version, reference.kind, reference.namespace)
