"""What changes among the objects of one kind: their metadata only, so that a Secret's content never comes here."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any, NamedTuple

from execloop.kube.objects.client import METADATA_LIST
from execloop.kube.watch.answers import identity
from execloop.kube.watch.listwatch import ObjectListWatch
from execloop.kube.watch.stream import Stream, WatchTimes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from execloop.kube.errors import ApiError
    from execloop.kube.objects.client import Kube
    from execloop.kube.watch.answers import EventType, Identity
    from execloop.kube.watch.stream import Restart

__all__ = ["Watch"]

logger = logging.getLogger(__name__)

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

    _list_as, _watch_as = METADATA_LIST, _WATCH

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
        self._denied = self._current = False
        list_watch = self._list_watch(kube, api_version, kind, label_selector, namespace)
        self._stream = Stream(list_watch, self, restarted=restarted, times=times, sleep=sleep, chance=chance)

    def version(self, namespace: str, name: str) -> str | None:
        """Return the resourceVersion of an object as of the last event, whatever thread asks.

        None when there is no such object, or when the watch has not listed yet or is refused.
        """
        known = self._known.get((namespace, name)) if self._current and not self._denied else None
        return None if known is None else known.version

    @property
    def current(self) -> bool:
        """Whether it has listed, and was not refused since."""
        return self._current and not self._denied

    @property
    def follows(self) -> bool:
        """Whether it is `current`, and every change from now on is reported: a watch is open."""
        return self.current and self._stream.follows

    async def run(self) -> None:
        """Continue until it is cancelled, whatever the server does."""
        await self._stream.run()

    def found(self, found: dict[str, Any]) -> None:
        self._remember(found["metadata"])

    def listed(self, present: set[Identity]) -> None:
        self._denied, self._current = False, True
        for namespace, name in self._known.keys() - present:
            labels = self._known.pop((namespace, name)).labels
            place = {"namespace": namespace} if namespace else {}
            self._notify("DELETED", {"name": name, **place, "labels": labels})

    def changed(self, event: EventType, subject: dict[str, Any]) -> None:
        metadata = subject["metadata"]
        if event == "DELETED":
            self._known.pop(identity(metadata), None)
            self._notify("DELETED", metadata)
        else:
            self._remember(metadata)

    def refused(self, error: ApiError) -> None:
        if not self._denied:
            self._on_denied(error)
        self._denied = True

    def absent(self) -> None:
        """The kind itself went, and all of its objects with it."""
        self.listed(set())

    @classmethod
    def _list_watch(
        cls, kube: Kube, api_version: str, kind: str, label_selector: str | None, namespace: str
    ) -> ObjectListWatch:
        """Return the objects of one kind in one namespace, empty for all, as the server's discovery finds them."""

        async def path() -> str:
            resource = await kube.connection.discovery.look_up(api_version, kind)
            return resource.path(namespace=namespace)

        name = f"{kind} in {namespace}" if namespace else kind
        selection = {"labelSelector": label_selector} if label_selector else {}
        return ObjectListWatch(kube.connection, name, path, selection, list_as=cls._list_as, watch_as=cls._watch_as)

    def _remember(self, metadata: dict[str, Any]) -> None:
        key, now = identity(metadata), _Known(metadata["resourceVersion"], metadata.get("labels") or {})
        before, self._known[key] = self._known.get(key), now
        if before is None:
            self._notify("ADDED", metadata)
        elif before.version != now.version:
            self._notify("MODIFIED", metadata)

    def _notify(self, event: EventType, metadata: dict[str, Any]) -> None:
        try:
            self._on_event(event, metadata)
        except Exception:
            logger.exception("a listener to changes of %s failed", self._kind)
