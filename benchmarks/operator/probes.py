"""New Plans at a steady rate, and how long each takes from the request that creates it to its Ready."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from benchmarks.operator.server import Server

__all__ = ["Probe", "Probes", "probing"]

_LABEL = "execloop-benchmark"
_numbers = itertools.count()


class Probe(NamedTuple):
    """One new Plan; `began` is the moment of its request on the monotonic clock."""

    began: float
    seconds: float


class Probes:
    """The Plans that were created, and when. `found` has those that are Ready."""

    def __init__(self, server: Server, name: str) -> None:
        self._server, self._name = server, name
        self._began: dict[str, float] = {}
        self._creations: set[asyncio.Task[None]] = set()
        self._any, self._all = asyncio.Event(), asyncio.Event()
        self.found: dict[str, Probe] = {}

    async def create(self, per_second: float) -> None:
        """Create Plans at that rate, whether or not the earlier ones are Ready; until cancelled."""
        begin = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, begin + number / per_second - time.monotonic()))
            name = f"{self._name}-{next(_numbers):05d}"
            self._began[name] = time.monotonic()
            creation = asyncio.create_task(self._server.create(name, "noop", 3, {_LABEL: self._name}))
            self._creations.add(creation)
            creation.add_done_callback(self._creations.discard)

    async def watch(self, version: str) -> None:
        """Note when each becomes Ready; until cancelled."""
        async with aclosing(self._server.ready(version, f"{_LABEL}={self._name}")) as ready:
            async for name, moment in ready:
                self.found[name] = Probe(self._began[name], moment - self._began[name])
                self._any.set()
                if len(self.found) == len(self._began):
                    self._all.set()

    async def first_ready(self) -> float:
        """Wait until one is Ready; return that moment on the monotonic clock."""
        await self._any.wait()
        return min(probe.began + probe.seconds for probe in self.found.values())

    async def all_ready(self) -> None:
        """Wait until each that was created is Ready."""
        await asyncio.gather(*self._creations)
        while len(self.found) < len(self._began):
            self._all.clear()
            await self._all.wait()


@asynccontextmanager
async def probing(server: Server, name: str, per_second: float) -> AsyncGenerator[Probes]:
    """Create Plans while the body runs; at its end wait until each of them is Ready."""
    probes = Probes(server, name)
    watch = asyncio.create_task(probes.watch(await server.version()))
    creation = asyncio.create_task(probes.create(per_second))
    try:
        yield probes
        creation.cancel()
        async with asyncio.timeout(60):
            await probes.all_ready()
    finally:
        for task in (creation, watch):
            task.cancel()
        await asyncio.gather(creation, watch, return_exceptions=True)
