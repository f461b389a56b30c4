"""Write a Plan's status, whole, on the resourceVersion that is known. Nothing else writes one.

The commit calls it. At a conflict it reads the Plan and asks again whether the write still counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop.controller.api.v1alpha1 import API_VERSION, KIND, PLURAL
from execloop.controller.watch.snapshot import identity_of, parse_status
from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.api.v1alpha1 import PlanStatus
    from execloop.controller.watch.cache import Cache, Key, PlanState, UnderWay
    from execloop.kube import Kube

__all__ = ["StatusWriter", "path_of"]

_TRIES = 5
_CONFLICT = 409


class StatusWriter:
    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube, self._cache = kube, cache
        self.writes = 0

    async def write(self, work: UnderWay, status: PlanStatus, overtaken: Callable[[], bool]) -> bool:
        """Return whether the status stands as wanted; False when `overtaken` says so, asked before each request.

        Nothing is sent when nothing differs. Raises ApiError: also where the Plan is gone, since only the watch and a
        list say that for certain.
        """
        state, wanted = work.state, None
        for _ in range(_TRIES):
            if overtaken():
                return False
            stored = state.snapshot.stored
            if stored == status:
                return True
            wanted = status.to_json() if wanted is None else wanted
            if stored.to_json() == wanted:
                return True
            try:
                await self._send(state, status, wanted)
            except ApiError as error:
                if not error.conflict:
                    raise
                self._cache.put(state.key, await self._kube.request("GET", path_of(state.key)))
            else:
                work.known.add(identity_of(status))
                return True
        message = f"the status of {state.key} was written by others {_TRIES} times in a row"
        raise ApiError(_CONFLICT, "Conflict", message)

    async def _send(self, state: PlanState, status: PlanStatus, wanted: dict[str, Any]) -> None:
        # The API server takes nothing but the status from this. It does less for a PUT than for a patch.
        metadata = {
            "namespace": state.key.namespace,
            "name": state.key.name,
            "uid": state.uid,
            "resourceVersion": state.snapshot.resource_version,
        }
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "status": wanted}
        state.send(status, wanted)
        answer = await self._kube.request("PUT", path_of(state.key) + "/status", body=body)
        self.writes += 1
        as_wanted = answer.get("status") == wanted
        state.written(str(answer["metadata"]["resourceVersion"]), status if as_wanted else parse_status(answer))


def path_of(key: Key) -> str:
    return f"/apis/{API_VERSION}/namespaces/{key.namespace}/{PLURAL}/{key.name}"
