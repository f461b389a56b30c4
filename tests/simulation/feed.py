"""The watch of Plans, in place of Kopf's: it lists, follows, breaks, and tells an Observer what `watch/plans.py` would.

Events of one Plan keep their order; those of different Plans need not. A feed that starts again may tell some twice;
one that was silent for too long, or is told 410, lists anew, and what was deleted meanwhile has no event.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from execloop.controller.watch.cache import Key
from execloop.kube import ApiError
from tests.simulation.network import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.network import Network
    from tests.simulation.processes import Process

__all__ = ["Feed", "FeedFaults"]

PLANS = "/apis/execloop.dev/v1alpha1/plans"


@dataclass
class FeedFaults:
    """Chances for each event."""

    cut: float = 0.0
    twice: float = 0.0
    silent: float = 0.0
    gone: float = 0.0
    latest: float = 0.05
    """Seconds that an event takes at most."""


class Feed:
    def __init__(self, process: Process, network: Network, faults: Callable[[], FeedFaults], chance: Random) -> None:
        self._process, self._network, self._faults, self._chance = process, network, faults, chance
        self.told: dict[Key, dict[str, Any]] = {}
        """The newest that the process was told of each Plan."""
        self._due: dict[Key, float] = {}
        self._pending: dict[asyncio.TimerHandle, int] = {}

    async def run(self, observer: Any) -> None:
        while True:
            try:
                await self._list_and_follow(observer)
            except ApiError as error:
                self._tell(f"the watch of Plans: {error}; again in 2 s")
                await asyncio.sleep(2.0)
            finally:
                for handle in self._pending:
                    handle.cancel()
                self._pending.clear()
                self._due.clear()

    async def _list_and_follow(self, observer: Any) -> None:
        answer = await self._network.exchange(self._process, "GET", PLANS, {}, None)
        present = set()
        for body in answer["items"]:
            present.add(self._deliver(observer, None, body))
        for key in self.told.keys() - present:
            del self.told[key]
        observer.listed(None, present)
        position = int(answer["metadata"]["resourceVersion"])
        while True:
            position, again = await self._follow(observer, position)
            if again:
                return

    async def _follow(self, observer: Any, position: int) -> tuple[int, bool]:
        """Where to go on, and whether it must list anew."""
        server, changed = self._network.server, asyncio.Event()
        end = server.tell(lambda _change: changed.set())
        try:
            while True:
                changed.clear()
                found, newest = list(server.events(PLANS, {}, position)), server.version
                for at, event in found:
                    faults, dice = self._faults(), self._chance.random()
                    if dice < faults.cut:
                        self._tell("the watch of Plans is cut")
                        await asyncio.sleep(self._chance.random() * 3)
                        return self._received(position), False
                    if dice < faults.cut + faults.silent:
                        self._tell("the watch of Plans falls silent")
                        await asyncio.sleep(self._chance.random() * 90)
                        return position, True
                    if dice < faults.cut + faults.silent + faults.gone:
                        self._tell("the watch of Plans: 410")
                        await asyncio.sleep(self._chance.random() * 20)
                        return position, True
                    position = at
                    self._later(observer, at, event, twice=self._chance.random() < faults.twice)
                position = newest
                await changed.wait()
        finally:
            end()

    def _received(self, position: int) -> int:
        """The version to go on from: what is on its way when a watch is cut does not arrive, and is asked for again."""
        received = min([position, *(version - 1 for version in self._pending.values())])
        for handle in self._pending:
            handle.cancel()
        self._pending.clear()
        return max(self._network.server.compacted, received - self._chance.choice([0, 0, 1, 3]))

    def _later(self, observer: Any, version: int, event: dict[str, Any], *, twice: bool) -> None:
        loop = asyncio.get_running_loop()
        key = _key(event["object"])
        due = max(self._due.get(key, 0.0), loop.time() + self._chance.random() ** 3 * self._faults().latest)
        self._due[key] = due + 1e-6

        def arrive() -> None:
            self._pending.pop(handle, None)
            for _ in range(1 + twice):
                self._deliver(observer, event["type"], event["object"])

        handle = loop.call_at(due, arrive)
        self._pending[handle] = version

    def _deliver(self, observer: Any, kind: str | None, body: dict[str, Any]) -> Key:
        key = _key(body)
        if not self._process.alive:
            return key
        if kind == "DELETED":
            self.told.pop(key, None)
        else:
            self.told[key] = body
        metadata = body["metadata"]
        self._tell(f"<- {kind or 'LISTED'} {key} {metadata['uid']} generation {metadata['generation']}")
        observer.seen(kind, loads(dumps(body)))
        return key

    def _tell(self, what: str) -> None:
        self._network.story.tell(self._process.name, what)


def _key(body: dict[str, Any]) -> Key:
    return Key(body["metadata"]["namespace"], body["metadata"]["name"])
