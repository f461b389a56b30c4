"""Which path serves a kind, and whether it lives in a namespace; asked of the server, so that any kind works."""

from __future__ import annotations

import asyncio
import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from execloop.kube.errors import ApiError
from execloop.kube.http.paths import Resource, group_path

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Discovery"]

# A kind that was missing a moment ago may exist now: its definition has just been applied.
_MISS_SECONDS = 1.0
_TABLE_SECONDS = 5.0
_UNAVAILABLE = 503
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
        self._table: dict[tuple[str, str], Resource] = {}
        self._table_until = 0.0
        self._stale: set[str] = set()
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

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
        raise _no_such_kind(miss.message)

    async def look_up(self, api_version: str, kind: str) -> Resource:
        """As `find`, for a caller that can wait: from a table of all kinds, so that many unknown ones cost one look.

        A kind that appears is found 5 s later at the latest.
        """
        key = api_version, kind
        if (resource := self._served.get(key)) is not None:
            return resource
        await self._refresh()
        if not self._table:  # a server without this kind of answer
            return await self.find(api_version, kind)
        if (resource := self._table.get(key)) is None:
            raise _no_such_kind(f"the cluster serves no kind {kind} in {api_version}")
        self._served[key] = resource
        return resource

    async def preferred(self, group: str, kind: str) -> Resource | None:
        """Return a kind of a group in the version that the server prefers; None when it serves no such kind.

        Raises ApiError also when it cannot say, because a server behind it does not answer.
        """
        if (found := _of_group(self._served, group, kind)) is not None:
            return found
        await self._refresh()
        if (found := _of_group(self._table, group, kind)) is not None:
            return found
        if not self._table or group in self._stale:
            raise ApiError(
                _UNAVAILABLE, "NoDiscovery", f"the API server cannot say now whether it serves {kind}.{group}"
            )
        return None

    async def _refresh(self) -> None:
        """Read the table of all kinds, unless it is new."""
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._clock() >= self._table_until:
                self._table = await self._read_table()
                self._table_until = self._clock() + _TABLE_SECONDS

    def forget(self) -> None:
        """The definitions have changed: ask again."""
        self._served.clear()
        self._missing.clear()
        self._table_until = 0.0

    async def _read(self, api_version: str) -> dict[tuple[str, str], Resource]:
        try:
            answer = await self._request("GET", group_path(api_version))
        except ApiError as error:
            if not error.not_found:
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
            served = await self._read_table()
        except ApiError:
            return message
        versions = sorted({version for version, name in served if name == kind})
        kinds = get_close_matches(kind, sorted({name for version, name in served if version == api_version}))
        if versions:
            return f"{message}, only in {', '.join(versions)}"
        return f"{message}; it serves {', '.join(kinds)}" if kinds else message

    async def _read_table(self) -> dict[tuple[str, str], Resource]:
        """Every kind; empty when the server does not answer in that form."""
        self._stale = set()
        answers = [await self._read_all(path) for path in ("/api", "/apis")]
        return {(resource.api_version, resource.kind): resource for answer in answers for resource in answer}

    async def _read_all(self, path: str) -> list[Resource]:
        try:
            answer = await self._request("GET", path, accept=_EVERYTHING)
        except ApiError as error:
            if not error.not_found:
                raise
            return []
        self._stale |= {
            item["metadata"].get("name") or ""
            for item in answer.get("items", ())
            if any(version.get("freshness") == "Stale" for version in item["versions"])
        }
        return [
            Resource(
                f"{group}/{version['version']}" if group else version["version"],
                resource["responseKind"]["kind"],
                resource.get("resource", ""),
                resource.get("scope") == "Namespaced",
            )
            for item in answer.get("items", ())
            for group in [item["metadata"].get("name")]
            for version in item["versions"]
            for resource in version.get("resources", ())
            if resource.get("responseKind")
        ]


def _of_group(table: dict[tuple[str, str], Resource], group: str, kind: str) -> Resource | None:
    """Return the first of a table, which has the versions in the server's order."""
    return next((found for (version, name), found in table.items() if name == kind and _group(version) == group), None)


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def _no_such_kind(message: str) -> ApiError:
    return ApiError(404, "NoSuchKind", message)
