"""What changes among the objects of one kind: their metadata only, so that a Secret's content never comes here."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any, NamedTuple

from execloop.kube.watch.stream import Page, Stream, WatchTimes, identity

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from execloop.kube.errors import ApiError
    from execloop.kube.objects.client import Kube
    from execloop.kube.watch.stream import EventType, Identity, Restart

__all__ = ["Watch"]

logger = logging.getLogger(__name__)

_PAGE = "500"
_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_WATCH = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class _Known(NamedTuple):
    version: str
    labels: Mapping[str, str]


class Watch:
    """Calls `on_event(type, metadata)` for each change, first of all ADDED for what exists.

    A deletion that happened while the watch was down is reported too, then with no more than name, namespace and
    labels. `namespace=""` is all of them. `on_denied` is called when the server refuses (401, 403), once until it
    allows again.
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
        on_denied: Callable[[ApiError], None] = lambda _error: None,
        restarted: Callable[[Restart], None] = lambda _reason: None,
        times: WatchTimes = WatchTimes(),  # noqa: B008 - frozen
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._kind = kind
        self._on_event = on_event
        self._on_denied = on_denied
        self._known: dict[Identity, _Known] = {}
        self._denied = False
        source = _Metadata(kube, api_version, kind, label_selector, namespace)
        self._stream = Stream(source, self, restarted=restarted, times=times, sleep=sleep, chance=chance)

    async def run(self) -> None:
        """Continue until it is cancelled, whatever the server does."""
        await self._stream.run()

    def found(self, found: dict[str, Any]) -> None:
        self._remember(found["metadata"])

    def listed(self, present: set[Identity]) -> None:
        self._denied = False
        for namespace, name in self._known.keys() - present:
            labels = self._known.pop((namespace, name)).labels
            place = {"namespace": namespace} if namespace else {}
            self._tell("DELETED", {"name": name, **place, "labels": labels})

    def changed(self, event: EventType, subject: dict[str, Any]) -> None:
        metadata = subject["metadata"]
        if event == "DELETED":
            self._known.pop(identity(metadata), None)
            self._tell("DELETED", metadata)
        else:
            self._remember(metadata)

    def refused(self, error: ApiError) -> None:
        if not self._denied:
            self._on_denied(error)
        self._denied = True

    def absent(self) -> None:
        """The kind itself went, and all of its objects with it."""
        self.listed(set())

    def _remember(self, metadata: dict[str, Any]) -> None:
        key, now = identity(metadata), _Known(metadata["resourceVersion"], metadata.get("labels") or {})
        before, self._known[key] = self._known.get(key), now
        if before is None:
            self._tell("ADDED", metadata)
        elif before.version != now.version:
            self._tell("MODIFIED", metadata)

    def _tell(self, event: EventType, metadata: dict[str, Any]) -> None:
        try:
            self._on_event(event, metadata)
        except Exception:
            logger.exception("a listener to changes of %s failed", self._kind)


class _Metadata:
    """The objects of one kind in one namespace, empty for all, as the server's discovery finds them."""

    def __init__(self, kube: Kube, api_version: str, kind: str, label_selector: str | None, namespace: str) -> None:
        self._connection = kube.connection
        self._api_version, self._kind, self._namespace = api_version, kind, namespace
        self._selection = {"labelSelector": label_selector} if label_selector else {}

    @property
    def name(self) -> str:
        return f"{self._kind} in {self._namespace}" if self._namespace else self._kind

    async def pages(self, *, whole: bool) -> AsyncGenerator[Page, None]:
        path, query = await self._path(), {**self._selection, **({} if whole else {"limit": _PAGE})}
        while True:
            page = await self._connection.request("GET", path, query=query, accept=_LIST)
            metadata = page.get("metadata") or {}
            yield Page(page.get("items") or [], metadata.get("resourceVersion"))  # null when there is none
            if not (place := metadata.get("continue")):
                return
            query["continue"] = place

    async def events(self, version: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        query = {
            **self._selection,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": f"{seconds:.0f}",
            "resourceVersion": version,
        }
        async for event in self._connection.stream(await self._path(), query, accept=_WATCH):
            yield event

    async def _path(self) -> str:
        resource = await self._connection.discovery.look_up(self._api_version, self._kind)
        return resource.path(namespace=self._namespace)
