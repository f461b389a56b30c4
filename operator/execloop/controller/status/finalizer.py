"""Add and remove the finalizer of Plans that have a teardown, and delete Plans after `ttlAfterFinished`.

`Reconciler` and `Teardown` call it. It owns every PATCH of a Plan's metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.controller.status.writer import path_of
from execloop.controller.watch.snapshot import FINALIZER, Snapshot
from execloop.kube import MERGE_PATCH, ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from execloop.controller.watch.cache import Cache, PlanState, UnderWay
    from execloop.kube import Kube

__all__ = ["Finalizer"]


class Finalizer:
    """Writes what is not status. Each request names the uid and the resourceVersion that the decision rests on."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube, self._cache = kube, cache

    async def add(self, work: UnderWay) -> bool:
        """Add the finalizer; return False when the Plan changed meanwhile. Raises ApiError."""
        return await self._set(work, (*work.state.snapshot.finalizers, FINALIZER))

    async def remove(self, work: UnderWay) -> bool:
        """Take the finalizer away; return False when the Plan changed meanwhile. Raises ApiError."""
        return await self._set(work, tuple(one for one in work.state.snapshot.finalizers if one != FINALIZER))

    async def delete(self, work: UnderWay) -> bool:
        """Delete the Plan; return False when it changed meanwhile. Raises ApiError."""
        newest = work.state.snapshot
        preconditions = {"uid": newest.uid, "resourceVersion": newest.resource_version}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        try:
            await self._kube.request("DELETE", path_of(newest.key), body=body)
        except ApiError as error:
            if error.conflict:
                await self._read_again(work.state)
                return False
            if not error.not_found:
                raise
        return True

    async def drop_annotations(self, work: UnderWay, names: Iterable[str]) -> bool:
        """Take annotations of execloop away; return False when the Plan changed meanwhile. Raises ApiError."""
        newest = work.state.snapshot
        gone = {f"execloop.dev/{name}": None for name in names}
        metadata = {"resourceVersion": newest.resource_version, "uid": newest.uid, "annotations": gone}
        return await self._patch(work.state, metadata, newest.finalizers)

    async def _set(self, work: UnderWay, finalizers: tuple[str, ...]) -> bool:
        state, newest = work.state, work.state.snapshot
        metadata = {"resourceVersion": newest.resource_version, "uid": newest.uid, "finalizers": list(finalizers)}
        return await self._patch(state, metadata, finalizers)

    async def _patch(self, state: PlanState, metadata: Mapping[str, object], finalizers: tuple[str, ...]) -> bool:
        newest = state.snapshot
        try:
            answer = await self._kube.request(
                "PATCH", path_of(newest.key), body={"metadata": metadata}, content_type=MERGE_PATCH
            )
        except ApiError as error:
            if not error.conflict:
                raise
            await self._read_again(state)
            return False
        else:
            state.written(
                str(answer["metadata"]["resourceVersion"]), newest.stored, finalizers, Snapshot.of(answer).annotations
            )
        return True

    async def _read_again(self, state: PlanState) -> None:
        self._cache.put(state.key, await self._kube.request("GET", path_of(state.key)))
