"""The finalizer of Plans that have a teardown: added before their first task, taken away when nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.controller.api.v1alpha1 import API_VERSION, PLURAL
from execloop.controller.watch.cache import FINALIZER
from execloop.kube import MERGE_PATCH, ApiError

if TYPE_CHECKING:
    from execloop.controller.watch.cache import Cache, Key, PlanState
    from execloop.kube import Kube

__all__ = ["Finalizer"]

_CONFLICT, _NOT_FOUND = 409, 404


class Finalizer:
    """Writes what is not status: the finalizer, and the deletion of a Plan whose time is over."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube, self._cache = kube, cache

    async def want(self, key: Key, track: PlanState, *, wanted: bool) -> bool:
        """See to it that it is there, or not. False when the Plan has changed meanwhile, so that its event comes.

        Raises ApiError.
        """
        present = track.finalizers
        if (FINALIZER in present) is wanted:
            return True
        finalizers = [*present, FINALIZER] if wanted else [one for one in present if one != FINALIZER]
        metadata = {"resourceVersion": track.metadata["resourceVersion"], "uid": track.uid, "finalizers": finalizers}
        try:
            answer = await self._kube.request(
                "PATCH", _path(key), body={"metadata": metadata}, content_type=MERGE_PATCH
            )
        except ApiError as error:
            if error.status == _NOT_FOUND:
                self._cache.drop(key, track.uid)
                return False
            if error.status != _CONFLICT:
                raise
            self._cache.put(key, await self._kube.request("GET", _path(key)))
            return False
        if self._cache.get(key) is track:
            track.written(answer)
        return True

    async def delete(self, key: Key, track: PlanState) -> None:
        """Delete a Plan as it is known here; one that has changed meanwhile stays. Raises ApiError."""
        preconditions = {"uid": track.uid, "resourceVersion": track.metadata["resourceVersion"]}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        try:
            await self._kube.request("DELETE", _path(key), body=body)
        except ApiError as error:
            if error.status not in {_CONFLICT, _NOT_FOUND}:
                raise


def _path(key: Key) -> str:
    return f"/apis/{API_VERSION}/namespaces/{key.namespace}/{PLURAL}/{key.name}"
