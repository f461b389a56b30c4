"""The measurements: a backlog, new Plans at a steady rate, one Plan at a time, and rest."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.operator.probes import probing
from benchmarks.operator.process import running
from benchmarks.operator.server import WRITES, plan_writes

if TYPE_CHECKING:
    from benchmarks.operator.contenders import Contender
    from benchmarks.operator.server import Server

__all__ = ["Backlog", "Live", "Reaction", "all_ready", "backlog", "fill", "live", "reaction"]

_SETTLES = 1.5
_BETWEEN = 0.05


@dataclass(frozen=True)
class Backlog:
    """N Plans wait, a contender starts, all become Ready."""

    plans_per_second: float
    """From the first that became ready to the last, so without the start of the process."""
    status_writes: float
    """A Plan, as the API server counts them: of the Plan or of its status."""
    cpu_seconds: float
    resident_mib: float
    """Of the process alone, with all the Plans ready."""


async def backlog(server: Server, contender: Contender, plan: str, count: int, number: int) -> Backlog:
    version, before = await fill(server, number, plan, count), server.requests()
    with running(contender, server.cluster) as process:
        times = await all_ready(server, version, number)
        await asyncio.sleep(_SETTLES)
        cpu_seconds, resident_mib = process.cpu_seconds(), process.resident_mib()
        requests = server.requests() - before
    return Backlog(number / (times[-1] - times[0]), plan_writes(requests) / number, cpu_seconds, resident_mib)


async def fill(server: Server, number: int, plan: str, count: int) -> str:
    """Leave these Plans alone on the server; return the version from which a watch sees what happens to them."""
    await server.clean()
    await server.fill((f"plan-{index:05d}" for index in range(number)), plan, count)
    return await server.version()


async def all_ready(server: Server, version: str, number: int) -> list[float]:
    """Return when each of so many Plans became Ready, on the monotonic clock."""
    times: list[float] = []
    async with aclosing(server.ready(version)) as ready:
        async for _, moment in ready:
            times.append(moment)
            if len(times) == number:
                break
    return times


@dataclass(frozen=True)
class Live:
    """Plans are created at a steady rate while the contender works."""

    per_second: float
    seconds: tuple[float, ...]
    """From the request that creates a Plan to the watch event that shows it Ready."""
    cpu_milliseconds: float
    """A Plan, of the contender's process."""

    def with_(self, other: Live) -> Live:
        """Return both rounds as one."""
        cpu = (self.cpu_milliseconds * len(self.seconds) + other.cpu_milliseconds * len(other.seconds)) / (
            len(self.seconds) + len(other.seconds)
        )
        return Live(self.per_second, self.seconds + other.seconds, cpu)


async def live(server: Server, contender: Contender, per_second: float, seconds: float) -> Live:
    await server.clean()
    with running(contender, server.cluster) as process:
        await _one(server, "first")  # the contender has started when this one is ready
        await asyncio.sleep(_SETTLES)
        before = process.cpu_seconds()
        async with probing(server, "live", per_second) as probes:
            await asyncio.sleep(seconds)
        cpu = process.cpu_seconds() - before
    found = tuple(probe.seconds for probe in probes.found.values())
    return Live(per_second, found, 1000 * cpu / len(found))


@dataclass(frozen=True)
class Reaction:
    milliseconds: tuple[float, ...]
    """From the request that creates a Plan to the watch event that shows it Ready."""
    idle_writes: int
    """Of anything, while nothing changed."""


async def reaction(server: Server, contender: Contender, times: int, idle_seconds: float) -> Reaction:
    await server.clean()
    with running(contender, server.cluster):
        await _one(server, "first")  # the contender has started when this one is ready
        milliseconds = [await _one(server, f"plan-{index:05d}") for index in range(times)]
        await asyncio.sleep(_SETTLES)
        before = server.requests()
        await asyncio.sleep(idle_seconds)
        requests = server.requests() - before
    return Reaction(tuple(milliseconds), sum(count for (verb, _), count in requests.items() if verb in WRITES))


async def _one(server: Server, name: str) -> float:
    await asyncio.sleep(_BETWEEN)
    async with aclosing(server.ready(await server.version())) as ready:
        start = time.monotonic()
        await server.create(name, "noop", 3)
        async for found, moment in ready:
            if found == name:
                return (moment - start) * 1000
    raise RuntimeError("the watch ended")
