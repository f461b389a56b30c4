"""An API server in memory, by the rules of the real one that the operator's own requests rest on."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias, cast

from execloop.kube import JSON, ApiError, Connection, Kube
from execloop.kube.http.discovery import Discovery
from tests.merge_patch import merged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

Object: TypeAlias = dict[str, Any]

_STATUS = "/status"
_SERVED = {
    "/api/v1": {"ConfigMap": "configmaps", "Secret": "secrets", "ServiceAccount": "serviceaccounts"},
    "/apis/execloop.dev/v1alpha1": {"Plan": "plans"},
}


class Write(NamedTuple):
    """A request that changed something."""

    method: str
    path: str
    object: Object
    """What it came to."""


class FakeCluster:
    """Objects by path. It answers `request` as a `Connection` does; `discovery` is the real one, asking this server."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.writes: list[Write] = []
        """The operator's own."""
        self.requests = 0
        """The operator's own, those that failed included."""
        self.acted_as: list[str] = []
        """Service accounts that somebody had a connection for."""
        self.discovery = Discovery(self.request)
        self._numbers = itertools.count(1)
        self._surprises: deque[Callable[[], object]] = deque()
        self._after_writes: Callable[[], object] = lambda: None
        self._down = False

    @property
    def kube(self) -> Kube:
        return Kube(self.connection)

    @property
    def connection(self) -> Connection:
        return cast("Connection", self)

    def before_next_request(self, *surprises: Callable[[], object]) -> None:
        """What happens just before each of the operator's next requests is answered; it may raise ApiError."""
        self._surprises.extend(surprises)

    def after_writes(self, deed: Callable[[], object]) -> None:
        """What happens just after each of the operator's own writes."""
        self._after_writes = deed

    def fail_next(self, status: int = 500, reason: str = "InternalError", *, times: int = 1) -> None:
        self.before_next_request(*[lambda: _refuse(status, reason, "as the test wants it")] * times)

    def go_away(self) -> None:
        self._down = True

    def come_back(self) -> None:
        self._down = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Object:
        """The operator's."""
        self.requests += 1
        if self._down:
            _refuse(0, "Unreachable", "connection refused")
        if self._surprises:
            self._surprises.popleft()()
        if (query or {}).get("dryRun") == "All":
            return copy.deepcopy(cast("Object", body))
        before = self.objects.get(path.removesuffix(_STATUS))
        answer = self.answer(method, path, cast("Object", body))
        if method != "GET" and answer is not before:
            self.writes.append(Write(method, path, copy.deepcopy(answer)))
            self._after_writes()
        return copy.deepcopy(answer)

    async def stream(self, path: str, query: object = None, *, accept: str = JSON) -> AsyncGenerator[Object, None]:
        """A watch that never tells anything: what changed is found by looking."""
        await asyncio.Event().wait()
        yield {}

    def impersonating(self, namespace: str, service_account: str) -> Connection:
        self.acted_as.append(f"{namespace}/{service_account}")
        return self.connection

    def answer(self, method: str, path: str, body: Object | None = None) -> Object:
        """Anybody's. Raises ApiError."""
        match method:
            case "GET":
                return self._get(path)
            case "POST":
                return self._create(path, copy.deepcopy(body or {}))
            case "PATCH":
                return self._patch(path, copy.deepcopy(body or {}))
            case "DELETE":
                return self._delete(path, body or {})
            case _:
                raise AssertionError(f"the fake cluster knows no {method}")

    def _get(self, path: str) -> Object:
        if path in _SERVED:
            return {"resources": [{"kind": k, "name": n, "namespaced": True} for k, n in _SERVED[path].items()]}
        if path.rpartition("/")[2] in {plural for served in _SERVED.values() for plural in served.values()}:
            items = [body for found, body in self.objects.items() if found.rpartition("/")[0] == path]
            return {"metadata": {"resourceVersion": str(next(self._numbers))}, "items": items}
        return self._found(path)

    def _found(self, path: str) -> Object:
        if path not in self.objects:
            _refuse(404, "NotFound", path)
        return self.objects[path]

    def _create(self, collection: str, body: Object) -> Object:
        path = f"{collection}/{body['metadata']['name']}"
        if path in self.objects:
            _refuse(409, "AlreadyExists", path)
        number = next(self._numbers)
        metadata = body["metadata"] | {"uid": f"uid-{number}", "generation": 1}
        body.pop("status", None)
        if body.get("kind") == "Plan":
            body["status"] = {"observedGeneration": -1}
        return self._store(path, {**body, "metadata": metadata})

    def _patch(self, path: str, patch: Object) -> Object:
        old = self._found(path.removesuffix(_STATUS))
        based_on = patch.get("metadata", {}).pop("resourceVersion", old["metadata"]["resourceVersion"])
        if based_on != old["metadata"]["resourceVersion"]:
            _refuse(409, "Conflict", "the object has been modified")
        if path.endswith(_STATUS):
            new = old | {"status": merged(old.get("status", {}), patch.get("status", {}))}
        else:
            new = merged(old, {key: value for key, value in patch.items() if key != "status"})
        if new == old:
            return old  # the server writes nothing when nothing changes
        if new.get("spec") != old.get("spec"):
            new["metadata"] = new["metadata"] | {"generation": old["metadata"]["generation"] + 1}
        return self._store(path.removesuffix(_STATUS), new)

    def _delete(self, path: str, options: Object) -> Object:
        old = self._found(path)
        if any(old["metadata"][field] != value for field, value in options.get("preconditions", {}).items()):
            _refuse(409, "Conflict", "the object has been modified")
        if "deletionTimestamp" in old["metadata"]:
            return old
        deleted = {"deletionTimestamp": "2026-01-01T00:00:00Z", "generation": old["metadata"]["generation"] + 1}
        return self._store(path, old | {"metadata": old["metadata"] | deleted})

    def _store(self, path: str, body: Object) -> Object:
        body["metadata"] = body["metadata"] | {"resourceVersion": str(next(self._numbers))}
        self.objects[path] = body
        if "deletionTimestamp" in body["metadata"] and not body["metadata"].get("finalizers"):
            del self.objects[path]
        return body


def _refuse(status: int, reason: str, message: str) -> NoReturn:
    raise ApiError(status, reason, message)
