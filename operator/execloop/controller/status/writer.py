"""The one place that writes a Plan's status: what differs, on the resourceVersion it is based on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from execloop.controller.api.v1alpha1 import API_VERSION, PLURAL
from execloop.controller.status.patch import difference
from execloop.kube import MERGE_PATCH, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.api.v1alpha1 import PlanStatus
    from execloop.controller.watch.cache import Cache, Key, PlanState
    from execloop.kube import Kube

__all__ = ["StatusWriter"]

_TRIES = 5
_CONFLICT, _NOT_FOUND = 409, 404
_Outdated: TypeAlias = "Callable[[PlanState], bool]"


class StatusWriter:
    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube = kube
        self._cache = cache
        self.writes = 0

    async def write(self, key: Key, track: PlanState, status: PlanStatus, outdated: _Outdated) -> bool:
        """Whether the status stands as wanted. False when the Plan went, or `outdated` says that it moved on.

        Nothing is sent when nothing differs. Raises ApiError for what a retry may mend.
        """
        uid, execution, wanted = track.uid, track.status.execution, status.to_json()
        for _ in range(_TRIES):
            patch = difference(track.status.to_json(), wanted)
            if not patch:
                return True
            if "execution" in wanted:
                patch["execution"] = patch.get("execution", {}) | wanted["execution"]
            try:
                await self._send(key, track, patch, (status, wanted))
            except ApiError as error:
                if error.status == _NOT_FOUND:
                    self._cache.drop(key, uid)
                    return False
                if error.status != _CONFLICT:
                    raise
                live = await self._live(key)
                if live is None or live["metadata"]["uid"] != uid:
                    self._cache.drop(key, uid)
                    return False
                self._cache.put(key, live)
                now = track.status.execution
                if outdated(track) or (now and now.id) != (execution and execution.id):
                    return False
            else:
                return True
        raise ApiError(_CONFLICT, "Conflict", f"the status of {key} was written by others {_TRIES} times in a row")

    async def _send(
        self, key: Key, track: PlanState, patch: dict[str, object], wanted: tuple[PlanStatus, object]
    ) -> None:
        body = {"metadata": {"resourceVersion": track.metadata["resourceVersion"]}, "status": patch}
        answer = await self._kube.request("PATCH", _path(key) + "/status", body=body, content_type=MERGE_PATCH)
        self.writes += 1
        answer["metadata"].pop("managedFields", None)
        if self._cache.get(key) is track:
            status, as_json = wanted
            track.written(answer, status if answer.get("status") == as_json else None)

    async def _live(self, key: Key) -> dict[str, Any] | None:
        try:
            return await self._kube.request("GET", _path(key))
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise


def _path(key: Key) -> str:
    return f"/apis/{API_VERSION}/namespaces/{key.namespace}/{PLURAL}/{key.name}"
