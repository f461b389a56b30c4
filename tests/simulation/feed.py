"""The requests of the watch of Plans, in place of Kopf's: lists in pages, and events that come late, twice or never.

The product's own `Stream` stands on them, with its pauses, its silence and its lists after a gap.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from execloop.controller.watch.cache import Key
from execloop.kube import ApiError, Page
from tests.api_server import refuse, watch_error
from tests.simulation.network import dumps, loads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from random import Random

    from tests.simulation.network import Network
    from tests.simulation.processes import Process

__all__ = ["Feed", "FeedFaults", "Told"]

PLANS = "/apis/execloop.dev/v1alpha1/plans"
_PAGE = "2"
_BOOKMARK = 60.0


@dataclass
class FeedFaults:
    """Chances for each event."""

    cut: float = 0.0
    twice: float = 0.0
    silent: float = 0.0
    gone: float = 0.0
    latest: float = 0.05
    """Seconds that an event takes at most."""
    late: float = 0.0
    """Chance that a deletion comes after the Plan that was made under the name at once."""


class Feed:
    """A `Source`."""

    name = "Plans"

    def __init__(self, process: Process, network: Network, faults: Callable[[], FeedFaults], chance: Random) -> None:
        self._process, self._network, self._faults, self._chance = process, network, faults, chance

    async def pages(self, *, whole: bool) -> AsyncGenerator[Page, None]:
        query = {} if whole else {"limit": _PAGE}
        while True:
            answer = loads(dumps(await self._network.exchange(self._process, "GET", PLANS, query, None)))
            yield Page(answer["items"], answer["metadata"]["resourceVersion"])
            if not (token := answer["metadata"].get("continue")):
                return
            query["continue"] = token

    async def events(self, version: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        server, changed, position = self._network.server, asyncio.Event(), int(version)
        await self._arrive()
        end = server.tell(lambda _change: changed.set())
        loop = asyncio.get_running_loop()
        over, bookmark = loop.time() + seconds, loop.time() + _BOOKMARK
        try:
            while loop.time() < over:
                changed.clear()
                found, position = list(server.events(PLANS, {}, position)), server.version
                for event in self._ordered([event for _, event in found]):
                    for _ in range(await self._times()):
                        yield loads(dumps(event))
                if not await self._wait(changed, min(over, bookmark) - loop.time()):
                    bookmark = loop.time() + _BOOKMARK
                    metadata = {"resourceVersion": str(position)}
                    yield {"type": "BOOKMARK", "object": {"kind": "Plan", "metadata": metadata}}
        except ApiError as error:
            if not error.status:
                raise
            yield watch_error(error)
        finally:
            end()

    def _ordered(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The events of one moment, some deletions behind the creation that took their name."""
        late, ordered, held = self._faults().late, [], {}
        for event in events:
            name = _name(event)
            if late and event["type"] == "DELETED" and self._chance.random() < late:
                held[name] = event
                continue
            ordered.append(event)
            if name in held:
                self._network.story.tell(self._process.name, f"  !! the deletion before comes late, of {name}")
                ordered.append(held.pop(name))
        return [*ordered, *held.values()]

    async def _wait(self, changed: asyncio.Event, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await changed.wait()
        except TimeoutError:
            return False
        return True

    async def _times(self) -> int:
        """How often an event comes, once it comes. Raises ApiError, or never returns."""
        faults, dice = self._faults(), self._chance.random()
        await self._arrive()
        for name in ("cut", "silent", "gone", "twice"):
            dice -= getattr(faults, name)
            if dice < 0:
                return await self._suffer(name)
        return 1

    async def _suffer(self, name: str) -> int:
        self._network.story.tell(self._process.name, f"  !! the watch of Plans: {name}")
        match name:
            case "cut":
                refuse(0, "Disconnected", "https://api closed the connection")
            case "gone":
                refuse(410, "Expired", "too old resource version")
            case "silent":
                await asyncio.Event().wait()
        return 2

    async def _arrive(self) -> None:
        await asyncio.sleep(self._chance.random() ** 3 * self._faults().latest)
        self._process.check()
        if self._network.down:
            refuse(0, "Unreachable", "https://api: connection refused")


def _name(event: dict[str, Any]) -> str:
    return f"{event['object']['metadata']['namespace']}/{event['object']['metadata']['name']}"


def _now() -> float:
    return asyncio.get_running_loop().time()


class Told:
    """An `Observer` before the operator: it remembers what the process was told."""

    def __init__(self, process: Process, network: Network, observer: Any) -> None:
        self._process, self._network, self._observer = process, network, observer
        self.newest: dict[Key, dict[str, Any]] = {}

    def seen(self, kind: str | None, body: dict[str, Any], /) -> None:
        if not self._process.alive:
            return
        metadata = body["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        self.newest[key] = {**loads(dumps(body)), "gone": kind == "DELETED", "since": _now()}
        what = f"<- {kind or 'LISTED'} {key} {metadata['uid']} generation {metadata['generation']}"
        self._network.story.tell(self._process.name, what)
        self._observer.seen(kind, body)

    def listed(self, namespace: str | None, present: set[Key], /) -> None:
        for key in self.newest.keys() - present:
            if not self.newest[key]["gone"]:
                self.newest[key].update(gone=True, since=_now())
        if self._process.alive:
            self._observer.listed(namespace, present)
