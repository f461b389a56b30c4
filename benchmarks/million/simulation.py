"""All replicas restart at once, on a virtual clock: what waits for what, which the formulas do not say.

A process is a generator that yields what it uses and for how long; a resource serves so many at a time, in order.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.million.model import Costs

__all__ = ["Restarted", "Simulation", "Use", "restart"]

_PAGE = 500


class Resource:
    """Serves `places` at a time, in the order in which they came."""

    def __init__(self, places: int) -> None:
        self.free = places
        self.waiting: deque[tuple[Process, float]] = deque()
        self.longest = 0
        """The most that waited at one moment."""


class Use(NamedTuple):
    resource: Resource
    seconds: float


Process: TypeAlias = "Generator[Use, None, None]"


class Simulation:
    """Runs processes on a virtual clock, until none has anything left to do."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Process, Resource | None]] = []
        self._numbers = itertools.count()

    def start(self, process: Process, at: float = 0.0) -> None:
        self._push(at, process, None)

    def run(self) -> float:
        """Return the time at which the last process ended."""
        while self._events:
            self.now, _, process, held = heapq.heappop(self._events)
            if held is not None:
                self._give_back(held)
            use = next(process, None)
            if use is not None:
                self._take(process, use)
        return self.now

    def _take(self, process: Process, use: Use) -> None:
        resource = use.resource
        if resource.free:
            resource.free -= 1
            self._push(self.now + use.seconds, process, resource)
        else:
            resource.waiting.append((process, use.seconds))
            resource.longest = max(resource.longest, len(resource.waiting))

    def _give_back(self, resource: Resource) -> None:
        if resource.waiting:
            process, seconds = resource.waiting.popleft()
            self._push(self.now + seconds, process, resource)
        else:
            resource.free += 1

    def _push(self, at: float, process: Process, held: Resource | None) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), process, held))


@dataclass
class Restarted:
    """Seconds after the start, of the slowest replica."""

    listed: float = 0.0
    looked_at: float = 0.0
    waited_for_server: int = 0
    """Pages that waited for the API server at one moment."""


def restart(plans: int, shards: int, costs: Costs, *, cores: int, filtered: bool = False) -> Restarted:
    """Restart all replicas at once; `cores` are the API server's."""
    simulation, server, found = Simulation(), Resource(cores), Restarted()
    for _ in range(shards):
        simulation.start(_replica(simulation, server, Resource(1), found, plans, shards, costs, filtered))
    found.looked_at = simulation.run()
    found.waited_for_server = server.longest
    return found


def _replica(
    simulation: Simulation,
    server: Resource,
    core: Resource,
    found: Restarted,
    plans: int,
    shards: int,
    costs: Costs,
    filtered: bool,
) -> Process:
    own = plans / shards
    sent = own if filtered else plans
    yield Use(core, costs.start)
    left, share, looks = sent, own / sent, 0.0
    while left > 0:
        page = min(_PAGE, left)
        left -= page
        asked = simulation.now
        yield Use(server, page * costs.server)
        # While the server answers, the replica looks at what the pages before have brought.
        looks = max(0.0, looks - (simulation.now - asked))
        yield Use(core, page * (share * costs.take + (1 - share) * costs.discard))
        looks += page * share * costs.look
    found.listed = max(found.listed, simulation.now)
    yield Use(core, looks)
