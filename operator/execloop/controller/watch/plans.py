"""Kopf's part: it logs in, lists and watches Plans, and tells what it sees. It has no handler, so it writes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import kopf
from kopf._cogs.clients.watching import Bookmark, infinite_watch
from kopf._cogs.structs.references import Resource

from execloop.controller.api.v1alpha1 import GROUP, PLURAL, VERSION
from execloop.controller.watch.cache import Key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from execloop.kube import Cluster, Connection

__all__ = ["Observer", "until_ended", "watching"]

logger = logging.getLogger(__name__)

_PLANS = Resource(GROUP, VERSION, PLURAL, namespaced=True)
_LOGIN_LASTS = timedelta(minutes=10)
# Kopf tells with a traceback what ends the watch; the error itself comes out of `until_ended`.
_TALKATIVE = "kopf._core.reactor.running"


class Observer(Protocol):
    def seen(self, kind: str | None, body: dict[str, Any], /) -> None:
        """An event of the watch; what a list finds has no type."""

    def listed(self, namespace: str | None, present: set[Key], /) -> None:
        """All that there are in a namespace, None for all, were told of.

        After a gap in the watch nothing else tells what was deleted meanwhile.
        """


async def watching(
    connection: Connection, namespaces: Sequence[str], observer: Observer, stop: asyncio.Event
) -> Collection[asyncio.Task[None]]:
    """Kopf's tasks, until `stop` is set; it takes over the signals. No namespace: all of them."""
    logging.getLogger(_TALKATIVE).setLevel(logging.CRITICAL)
    settings = _settings()
    return await kopf.spawn_tasks(
        registry=_registry(connection),
        # Kopf's own asks for the user's name, and a container's user may have none.
        identity="execloop",  # type: ignore[arg-type]  # a NewType that Kopf keeps to itself
        settings=settings,
        standalone=True,
        stop_flag=stop,
        clusterwide=not namespaces,
        namespaces=namespaces,
        _command=_watch_all(namespaces, settings, observer),
    )


async def until_ended(tasks: Collection[asyncio.Task[None]]) -> None:
    """Raises what Kopf could not get over."""
    await kopf.run_tasks(tasks, ignored=_Everything())


async def _watch_all(namespaces: Sequence[str], settings: kopf.OperatorSettings, observer: Observer) -> None:
    watches = [asyncio.create_task(_watch(place, settings, observer)) for place in namespaces or (None,)]
    try:
        await asyncio.gather(*watches)
    finally:
        for task in watches:
            task.cancel()


async def _watch(namespace: str | None, settings: kopf.OperatorSettings, observer: Observer) -> None:
    while True:
        await _list_and_watch(namespace, settings, observer)


async def _list_and_watch(namespace: str | None, settings: kopf.OperatorSettings, observer: Observer) -> None:
    """Kopf's stream itself: the workers and handlers that Kopf would put behind it cost ten times as much an event.

    One list and what follows it: of a list that broke off nothing must count as found by the next.
    """
    present: set[Key] = set()
    place: Any = namespace  # a NewType that Kopf keeps to itself
    async for event in infinite_watch(settings=settings, resource=_PLANS, namespace=place, _iterations=1):
        if event is Bookmark.LISTED:
            observer.listed(namespace, present)
        elif not isinstance(event, Bookmark) and event["type"] != "BOOKMARK":
            body: Any = event["object"]
            key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
            if event["type"] is None:
                present.add(key)
            try:
                observer.seen(event["type"], body)
            except Exception:  # one Plan must not cost all others their watch
                logger.exception("a fault of the operator", extra={"plan": str(key)})


class _Everything(Collection[asyncio.Task[Any]]):
    """All tasks there are. At its end Kopf cancels those which are not in such a collection, our reconciles too."""

    def __contains__(self, _task: object) -> bool:
        return True

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(asyncio.all_tasks())

    def __len__(self) -> int:
        return len(asyncio.all_tasks())


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 660
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.scanning.disabled = True
    settings.posting.enabled = False
    return settings


def _registry(connection: Connection) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await asyncio.to_thread(_log_in, connection.cluster)

    return registry


def _log_in(cluster: Cluster) -> kopf.ConnectionInfo:
    credential = cluster.credentials.fresh() or cluster.credentials.renew(None)
    scheme, _, token = (credential.authorization or "").partition(" ")
    certificate = credential.certificate
    return kopf.ConnectionInfo(
        server=cluster.server,
        ca_data=cluster.ca,
        insecure=cluster.insecure or None,
        scheme=scheme or None,
        token=token or None,
        certificate_data=certificate.certificate if certificate else None,
        private_key_data=certificate.key if certificate else None,
        proxy_url=cluster.proxy,
        # Without it an unchanged token after a 401 ends the operator.
        expiration=datetime.now(UTC) + _LOGIN_LASTS,
    )
