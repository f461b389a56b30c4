"""Reads that the watches of whole objects answer: what `context.kube` asks with `cached=True`.

`DriftWatches` has the watches. Each client of a Plan asks, and says what it wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from execloop.kube.objects.access import ReadRights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from execloop.kube import Connection, Object, ObjectWatch, Resource

    Watches: TypeAlias = Mapping[str, ObjectWatch]

__all__ = ["CachedReads"]


class CachedReads:
    """`find(group, kind)` returns the watches by apiVersion and then by namespace, the empty one for all of them.

    `counted` learns of each read whether the cache answered.
    """

    def __init__(
        self,
        find: Callable[[str, str], Mapping[str, Watches]],
        counted: Callable[[bool], None] = lambda _cached: None,
        rights: ReadRights | None = None,
    ) -> None:
        self._find, self._counted, self._rights = find, counted, rights or ReadRights()

    async def get(
        self, connection: Connection, plan: str, resource: Resource, namespace: str, name: str
    ) -> Object | None:
        """Return an object that carries the Plan's label; None where only the API server can."""
        watch, found = self._watch(resource, namespace), None
        if watch is not None and await self._rights.allow(connection, "get", resource, namespace):
            found = watch.get(plan, (namespace, name))
        self._counted(found is not None)
        return found

    async def owned(self, connection: Connection, plan: str, resource: Resource, namespace: str) -> list[Object] | None:
        """Return all objects that carry the Plan's label; None where only the API server can."""
        watch, found = self._watch(resource, namespace), None
        if watch is not None and await self._rights.allow(connection, "list", resource, namespace):
            found = watch.owned(plan, namespace)
        self._counted(found is not None)
        return found

    def wrote(
        self, plan: str, resource: Resource, namespace: str, name: str, answer: Mapping[str, object] | None
    ) -> None:
        """Take note of a write: the answer to it, None where none came."""
        for watch in self._watches(resource):
            watch.wrote(plan, (namespace, name), answer)

    def deleted(self, plan: str, resource: Resource, namespace: str, name: str, uid: str | None) -> None:
        """Take note of a deletion that the server accepted; None: of an object that it did not have."""
        for watch in self._watches(resource):
            watch.deleted(plan, (namespace, name), uid)

    def _watch(self, resource: Resource, namespace: str) -> ObjectWatch | None:
        watches = self._by_version(resource).get(resource.api_version, {})
        if not resource.namespaced:
            return next(iter(watches.values()), None)
        return watches.get(namespace) or watches.get("")

    def _watches(self, resource: Resource) -> Iterator[ObjectWatch]:
        for watches in self._by_version(resource).values():
            yield from watches.values()

    def _by_version(self, resource: Resource) -> Mapping[str, Watches]:
        return self._find(resource.api_version.rpartition("/")[0], resource.kind)
