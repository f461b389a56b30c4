"""What changes among the objects of one kind: their metadata only, so that a Secret's content never comes here."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from execloop.kube.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from execloop.kube.objects.client import Kube

__all__ = ["EventType", "Watch"]

EventType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]
_Key: TypeAlias = tuple[str, str]

logger = logging.getLogger(__name__)

_PAGE = "500"
_SERVER_SECONDS = "600"
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_DENIED_PAUSE = 300.0
_DENIED = frozenset({401, 403})
_NOT_FOUND = 404
_GONE = 410
_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_WATCH = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class _Known(NamedTuple):
    version: str
    labels: Mapping[str, str]


class Watch:
    """Calls `on_event(type, metadata)` for each change, first of all ADDED for what is there.

    A deletion that happened while nobody listened is reported too, then with no more than name, namespace and labels.
    `namespace=""` is all of them. `on_denied` is called when the server refuses (401, 403), once until it allows again.
    """

    def __init__(
        self,
        kube: Kube,
        api_version: str,
        kind: str,
        label_selector: str | None,
        on_event: Callable[[EventType, dict[str, Any]], None],
        *,
        namespace: str = "",
        on_denied: Callable[[ApiError], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = kube.connection
        self._api_version = api_version
        self._kind = kind
        self._namespace = namespace
        self._selection = {"labelSelector": label_selector} if label_selector else {}
        self._on_event = on_event
        self._on_denied = on_denied
        self._sleep = sleep
        self._known: dict[_Key, _Known] = {}
        self._version: str | None = None
        self._failures = 0
        self._denied = False

    async def run(self) -> None:
        """Goes on until it is cancelled, whatever the server does."""
        while True:
            try:
                if self._version is None:
                    await self._list()
                await self._follow(self._version)
            except ApiError as error:
                await self._sleep(self._after(error))
            except Exception:  # an answer that nobody foresaw: a watch that ends would go unnoticed
                logger.exception("watching %s", self._kind)
                self._version = None
                await self._sleep(_LONGEST_PAUSE)

    async def _list(self) -> None:
        path, query = await self._path(), {**self._selection, "limit": _PAGE}
        found: list[dict[str, Any]] = []
        while True:
            page = await self._connection.request("GET", path, query=query, accept=_LIST)
            found += (item["metadata"] for item in page["items"] or ())  # null when there is none
            if not (token := page["metadata"].get("continue")):
                break
            query["continue"] = token
        self._denied = False
        self._replace(found)
        self._version = page["metadata"]["resourceVersion"]

    async def _follow(self, version: str | None) -> None:
        query = {**self._selection, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": _SERVER_SECONDS}
        stream = self._connection.stream(await self._path(), {**query, "resourceVersion": version or ""}, accept=_WATCH)
        heard = False
        async with aclosing(stream):
            async for event in stream:
                heard = True
                self._take(event["type"], event["object"])
        if not heard:
            raise ApiError(0, "Disconnected", "the server ended the watch at once")

    def _take(self, kind: str, subject: dict[str, Any]) -> None:
        if kind == "ERROR":
            raise ApiError.from_status(int(subject.get("code", 0)), subject, request=f"watch {self._kind}")
        metadata = subject["metadata"]
        self._version = metadata["resourceVersion"]
        self._failures = 0
        match kind:
            case "ADDED" | "MODIFIED":
                self._remember(metadata)
            case "DELETED":
                self._known.pop(_key(metadata), None)
                self._tell("DELETED", metadata)
            case _:
                pass  # a bookmark: only the version moved on

    def _replace(self, found: list[dict[str, Any]]) -> None:
        gone = self._known.keys() - {_key(metadata) for metadata in found}
        for namespace, name in gone:
            labels = self._known.pop((namespace, name)).labels
            place = {"namespace": namespace} if namespace else {}
            self._tell("DELETED", {"name": name, **place, "labels": labels})
        for metadata in found:
            self._remember(metadata)

    def _remember(self, metadata: dict[str, Any]) -> None:
        key, now = _key(metadata), _Known(metadata["resourceVersion"], metadata.get("labels", {}))
        before, self._known[key] = self._known.get(key), now
        if before is None:
            self._tell("ADDED", metadata)
        elif before.version != now.version:
            self._tell("MODIFIED", metadata)

    def _tell(self, kind: EventType, metadata: dict[str, Any]) -> None:
        try:
            self._on_event(kind, metadata)
        except Exception:
            logger.exception("a listener to changes of %s failed", self._kind)

    def _after(self, error: ApiError) -> float:
        """Seconds to wait after an error."""
        if error.status in _DENIED:
            self._deny(error)
            return _DENIED_PAUSE
        if error.status in {_GONE, _NOT_FOUND}:
            self._version = None
        if error.status == _NOT_FOUND:  # the kind itself went, and all of its objects with it
            self._replace([])
        first = not self._failures
        self._failures += 1
        if first and error.status == _GONE:
            return 0.0  # the server forgot what happened since: usual after a long silence
        if first:
            logger.warning("watching %s: %s; trying again", self._kind, error)
        return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self._failures - 1))

    def _deny(self, error: ApiError) -> None:
        self._version = None
        if not self._denied and self._on_denied is not None:
            self._on_denied(error)
        self._denied = True

    async def _path(self) -> str:
        resource = await self._connection.discovery.find(self._api_version, self._kind)
        return resource.path(namespace=self._namespace)


def _key(metadata: Mapping[str, Any]) -> _Key:
    return metadata.get("namespace", ""), metadata["name"]
