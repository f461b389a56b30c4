"""The watch of Plans, by Kopf, which logs in, lists and watches. The process starts it; the operator sees each Plan.

No other module knows Kopf. Kopf has no handler here, so it writes nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Collection
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import kopf
from kopf._cogs.clients.api import stream
from kopf._cogs.clients.fetching import fetch_objs
from kopf._cogs.structs.references import Resource

from execloop.controller.api.v1alpha1 import GROUP, PLURAL, VERSION
from execloop.controller.timing import backoff
from execloop.controller.watch.cache import Key
from execloop.controller.watch.selection import Selection
from execloop.kube import ApiError, Page, Stream, WatchTimes
from execloop.kube.http.connection import failures

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence

    from execloop.kube import Connection, EventType, Restart
    from execloop.kube.watch.answers import Identity

__all__ = ["Observer", "PlanWatch"]

logger = logging.getLogger(__name__)

_PLANS = Resource(GROUP, VERSION, PLURAL, namespaced=True)
_TIMES = WatchTimes(longest_pause=10.0, longest_refusal=30.0)  # the whole operator waits for Plans
_CHUNK = 500
_REQUEST_SECONDS = 30
_CONNECT_SECONDS = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
# Kopf logs each failed request and each end of its own as an error; this module does so once a cause.
_MUTE = logging.getLogger(f"{__name__}.kopf")
_TALKATIVE = "kopf._core.reactor.running"
_NOT_FORESEEN = (
    aiohttp.ContentTypeError,
    json.JSONDecodeError,
    UnicodeDecodeError,
    TypeError,
    AttributeError,
    KeyError,
)


class Observer(Protocol):
    """What the watch of Plans reports to: the operator."""

    def seen(self, kind: str | None, body: dict[str, Any], /) -> None:
        """An event of the watch; what a list finds has no type."""

    def listed(self, namespace: str | None, present: set[Key], /) -> None:
        """All Plans of a namespace were seen, None for all namespaces.

        After a gap in the watch nothing else shows what was deleted meanwhile.
        """


class PlanWatch:
    """One stream for each namespace, or one for all when none is named.

    `permitted` says which rights are missing in a namespace, empty when none is: its stream waits for them. `labels`
    selects Plans. `shard` returns the `shardSelector` of the moment, which counts where the API server knows it.
    """

    def __init__(
        self,
        connection: Connection,
        namespaces: Sequence[str],
        observer: Observer,
        *,
        permitted: Callable[[str], Awaitable[str]] | None = None,
        restarted: Callable[[Restart], None] = lambda _reason: None,
        times: WatchTimes = _TIMES,
        labels: str = "",
        shard: Callable[[], str] = lambda: "",
    ) -> None:
        self._connection, self._namespaces = connection, tuple(namespaces)
        selection = Selection(connection, labels, shard)
        self._streams = {
            namespace: Stream(
                _PlanListWatch(connection, namespace, permitted, selection),
                _Receiver(namespace, observer, selects=bool(labels)),
                restarted=restarted,
                times=times,
                early=True,
            )
            for namespace in self._namespaces or (None,)
        }

    @property
    def problem(self) -> str:
        """Which streams do not work, and why; empty when all do."""
        return "; ".join(problem for stream in self._streams.values() if (problem := stream.problem))

    def up(self) -> dict[str, bool]:
        """Whether each stream works, by namespace, `*` for all of them."""
        return {namespace or "*": stream.up for namespace, stream in self._streams.items()}

    def relist(self) -> None:
        """List all Plans again: the observer wants to know of more of them than before."""
        for each in self._streams.values():
            each.relist()

    async def run(self, stop: asyncio.Event, started: Callable[[], None] = lambda: None) -> None:
        """Watch until `stop` is set. `started` is called when Kopf has taken over the signals, to take them back."""
        ends = 0
        while not stop.is_set():
            try:
                await self._run_kopf(stop, started)
            except Exception as error:  # noqa: BLE001 - what ends Kopf, a scan of the API for one, must not end the process
                ends += 1
                pause = backoff(_FIRST_PAUSE, _LONGEST_PAUSE, ends, random.random)
                logger.warning("Kopf ended: %s: %s; starting it again in %.0f s", type(error).__name__, error, pause)
                await _sleep(pause, stop)

    async def _run_kopf(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        _MUTE.setLevel(logging.CRITICAL + 1)
        logging.getLogger(_TALKATIVE).setLevel(logging.CRITICAL)
        tasks = await kopf.spawn_tasks(
            registry=_registry(self._connection),
            # Kopf's own asks for the user's name, and a container's user may have none.
            identity="execloop",  # type: ignore[arg-type]  # a NewType that Kopf keeps to itself
            settings=_settings(),
            standalone=True,
            stop_flag=stop,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            _command=self._run_streams(),
        )
        started()
        await kopf.run_tasks(tasks, ignored=_Everything())

    async def _run_streams(self) -> None:
        async with asyncio.TaskGroup() as group:
            for each in self._streams.values():
                group.create_task(each.run())


class _Receiver:
    def __init__(self, namespace: str | None, observer: Observer, *, selects: bool = False) -> None:
        self._namespace, self._observer, self._selects = namespace, observer, selects

    def found(self, found: dict[str, Any]) -> None:
        self._see(None, found)

    def listed(self, present: set[Identity]) -> None:
        self._observer.listed(self._namespace, {Key(*identity) for identity in present})

    def changed(self, event: EventType, subject: dict[str, Any]) -> None:
        metadata = subject["metadata"]
        if self._selects and event == "DELETED" and "deletionTimestamp" not in metadata:
            metadata.pop("finalizers", None)  # its labels may have changed: then its teardown is still to come
        self._see(event, subject)

    def refused(self, error: ApiError) -> None:
        """Nothing to do: the stream says so, and asks again."""

    def absent(self) -> None:
        """Nothing to do: a proxy says 404 too, and Plans that go with their CRD are seen to go."""

    def _see(self, event: EventType | None, body: dict[str, Any]) -> None:
        try:
            self._observer.seen(event, body)
        except Exception:  # one Plan must not cost all others their watch
            metadata = body["metadata"]
            plan = f"{metadata.get('namespace')}/{metadata.get('name')}"
            logger.exception("an error of the operator", extra={"plan": plan})


class _PlanListWatch:
    """Kopf's requests, one list or one watch each.

    Kopf's own stream ends at most errors, does not pause between requests, and trusts a silent watch.
    """

    def __init__(
        self,
        connection: Connection,
        namespace: str | None,
        permitted: Callable[[str], Awaitable[str]] | None,
        selection: Selection,
    ) -> None:
        self._origin, self._selection = connection.origin, selection
        self._selected: dict[str, str] = {}
        """How the last list was selected: the watch after it has to be selected in the same way."""
        self._namespace: Any = namespace  # a NewType that Kopf keeps to itself
        self._permitted = permitted
        self.name = f"Plans in {namespace}" if namespace else "Plans"

    async def pages(self, *, whole: bool) -> AsyncGenerator[Page, None]:
        await self._require_rights()
        self._selected = selected = await self._selection.parameters(_PLANS.get_url(namespace=self._namespace))
        settings = _settings(chunk_size=None if whole else _CHUNK)
        if "labelSelector" in selected:
            settings.watching.label_selectors[kopf.EVERYTHING] = selected["labelSelector"]
        if "shardSelector" in selected:
            settings.watching.shard_selectors[kopf.EVERYTHING] = selected["shardSelector"]
        with _as_api_errors(self._origin, "list plans"):
            listed = fetch_objs(settings=settings, resource=_PLANS, namespace=self._namespace, logger=_MUTE)
            async for objects, version in listed:
                yield Page(list(objects), version)  # type: ignore[arg-type]  # bodies, which are dicts

    async def events(self, version: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        query = {
            **self._selected,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": f"{seconds:.0f}",
            "resourceVersion": version,
        }
        url = _PLANS.get_url(namespace=self._namespace, params=query)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        with _as_api_errors(self._origin, "watch plans"):
            async for event in stream(url, settings=_settings(), timeout=timeout, logger=_MUTE):
                yield event

    async def _require_rights(self) -> None:
        if self._permitted is None:
            return
        if missing := await self._permitted(self._namespace or ""):
            raise ApiError(403, "Forbidden", missing)
        self._permitted = None


@contextmanager
def _as_api_errors(origin: str, request: str) -> Iterator[None]:
    """What comes out of Kopf for a lost connection, or for an answer that it did not expect."""
    with failures(origin, request):
        try:
            yield
        except _NOT_FORESEEN as error:
            cause = "the answer is not one of a Kubernetes API server; does a proxy send it?"
            raise ApiError(200, "NotKubernetes", cause, request=request) from error


class _Everything(Collection[asyncio.Task[Any]]):
    """All tasks there are. At its end Kopf cancels those which are not in such a collection, our reconciles too."""

    def __contains__(self, _task: object) -> bool:
        return True

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(asyncio.all_tasks())

    def __len__(self) -> int:
        return len(asyncio.all_tasks())


def _settings(chunk_size: int | None = _CHUNK) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.watching.chunk_size = chunk_size
    settings.networking.request_timeout = _REQUEST_SECONDS
    settings.networking.connect_timeout = _CONNECT_SECONDS
    settings.networking.error_backoffs = ()  # the streams have theirs
    settings.process.ultimate_exiting_timeout = None  # it kills the process some time after Kopf has ended
    settings.scanning.disabled = True
    settings.posting.enabled = False
    return settings


def _registry(connection: Connection) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        """A session of ours, which renews its credentials: Kopf logs in once, and a 401 is an error like any other."""
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=connection.open_session())

    return registry


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
