"""Which path serves a kind, and whether it lives in a namespace; asked of the server, so that any kind works."""

from __future__ import annotations

import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from execloop.kube.errors import ApiError
from execloop.kube.http.paths import Resource, group_path

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Discovery"]

# A kind that was not there a moment ago may be there now: its definition has just been applied.
_MISS_SECONDS = 1.0
_NOT_FOUND = 404
_EVERYTHING = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class _Request(Protocol):
    async def __call__(self, method: str, path: str, *, accept: str = ...) -> dict[str, Any]: ...


class _Miss(NamedTuple):
    message: str
    until: float


class Discovery:
    """Asks once for each version of an API group, and again for a kind that it lacked, at most each second."""

    def __init__(self, request: _Request, clock: Callable[[], float] = time.monotonic) -> None:
        self._request = request
        self._clock = clock
        self._served: dict[tuple[str, str], Resource] = {}
        self._missing: dict[tuple[str, str], _Miss] = {}

    async def find(self, api_version: str, kind: str) -> Resource:
        """Raises ApiError(404, 'NoSuchKind') with what was perhaps meant."""
        key = api_version, kind
        if (resource := self._served.get(key)) is not None:
            return resource
        now = self._clock()
        self._missing = {key: miss for key, miss in self._missing.items() if miss.until > now}
        if (miss := self._missing.get(key)) is None:
            self._served.update(await self._read(api_version))
            if (resource := self._served.get(key)) is not None:
                return resource
            miss = self._missing[key] = _Miss(await self._explain(api_version, kind), now + _MISS_SECONDS)
        raise ApiError(_NOT_FOUND, "NoSuchKind", miss.message)

    def forget(self) -> None:
        """The definitions have changed: ask again."""
        self._served.clear()
        self._missing.clear()

    async def _read(self, api_version: str) -> dict[tuple[str, str], Resource]:
        try:
            answer = await self._request("GET", group_path(api_version))
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            return {}
        return {
            (api_version, item["kind"]): Resource(api_version, item["kind"], item["name"], item["namespaced"])
            for item in answer.get("resources", ())
            if "/" not in item["name"]
        }

    async def _explain(self, api_version: str, kind: str) -> str:
        message = f"the cluster serves no kind {kind} in {api_version}"
        try:
            served = [*await self._read_all("/api"), *await self._read_all("/apis")]
        except ApiError:
            return message
        versions = sorted({version for version, name in served if name == kind})
        kinds = get_close_matches(kind, sorted({name for version, name in served if version == api_version}))
        if versions:
            return f"{message}, only in {', '.join(versions)}"
        return f"{message}; it serves {', '.join(kinds)}" if kinds else message

    async def _read_all(self, path: str) -> list[tuple[str, str]]:
        answer = await self._request("GET", path, accept=_EVERYTHING)
        return [
            (f"{group}/{version['version']}" if group else version["version"], resource["responseKind"]["kind"])
            for item in answer.get("items", ())
            for group in [item["metadata"].get("name")]
            for version in item["versions"]
            for resource in version.get("resources", ())
            if resource.get("responseKind")
        ]
