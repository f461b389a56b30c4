"""A contender starts again among Plans that are Ready: how soon it takes a new one, and what the start costs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.operator.measure import all_ready, fill
from benchmarks.operator.probes import probing
from benchmarks.operator.process import running
from benchmarks.operator.server import plan_writes

if TYPE_CHECKING:
    from benchmarks.operator.contenders import Contender
    from benchmarks.operator.server import Server

__all__ = ["PER_SECOND", "SETTLES", "Restart", "restarts"]

PER_SECOND = 20.0
"""New Plans from the start of the process on, until the first is Ready."""
SETTLES = 3.0
"""Seconds after that, in which the contender ends what its start began."""
_PATIENCE = 60.0


@dataclass(frozen=True)
class Restart:
    first_ready: float
    """Seconds from the start of the process to the first new Plan that is Ready."""
    cpu_seconds: float
    """From the start of the process to `SETTLES` after all new Plans are Ready."""
    status_writes: int
    """In the same time, beside one for each new Plan."""


async def restarts(
    server: Server, contender: Contender, number: int, times: int, settles: float = SETTLES
) -> list[Restart]:
    """Let the contender bring so many Plans `noop` to Ready, end it, and start it that many times."""
    version = await fill(server, number, "noop", 3)
    with running(contender, server.cluster):
        await all_ready(server, version, number)
        await asyncio.sleep(settles)
    return [await _restart(server, contender, f"restart-{turn}", settles) for turn in range(times)]


async def _restart(server: Server, contender: Contender, name: str, settles: float) -> Restart:
    before, began = server.requests(), time.monotonic()
    with running(contender, server.cluster) as process:
        async with probing(server, name, PER_SECOND) as probes, asyncio.timeout(_PATIENCE):
            first = await probes.first_ready()
        await asyncio.sleep(settles)
        cpu_seconds, writes = process.cpu_seconds(), plan_writes(server.requests() - before)
    return Restart(first - began, cpu_seconds, writes - len(probes.found))
