"""One controller converges N resources from nothing, then looks after them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.operator.process import running
from benchmarks.operator.server import CONFIG_MAPS, at_once

if TYPE_CHECKING:
    from benchmarks.flux.subjects import Subject
    from benchmarks.operator.contenders import Contender
    from benchmarks.operator.server import Server

__all__ = ["Converged", "Rest", "measured"]

_SETTLES = 1.5
_LONG, _SHORT = "10m", "30s"
_SHORT_SECONDS = 30.0
_OBSERVED = 60.0


@dataclass(frozen=True)
class Rest:
    """What the process and the API server did in 60 s while nothing changed."""

    requests: Counter[str]
    cpu_seconds: float


@dataclass(frozen=True)
class Converged:
    seconds: float
    """From the start of the process until the last was Ready."""
    per_second: float
    """From the first that became Ready to the last."""
    requests: Counter[str]
    """By verb, for all of them."""
    cpu_seconds: float
    resident_mib: float
    rest: Rest | None


async def measured(server: Server, contender: Contender, subject: Subject, number: int, *, rests: bool) -> Converged:
    names = [f"k-{index:05d}" for index in range(number)]
    await server.delete_all(CONFIG_MAPS)
    await at_once(server.post(subject.path, subject.make(name, _LONG)) for name in names)
    version, before = await server.version(subject.path), server.requests()
    began = time.monotonic()
    with running(contender, server.cluster) as process:
        moments: list[float] = []
        async with aclosing(server.ready(version, path=subject.path)) as ready:
            async for _, moment in ready:
                moments.append(moment)
                if len(moments) == number:
                    break
        await asyncio.sleep(_SETTLES)
        cpu, resident = process.cpu_seconds(), process.resident_mib()
        requests = _by_verb(server.requests() - before)
        rest = None
        if rests:
            await server.edit(names, {"interval": _SHORT}, subject.path)
            await asyncio.sleep(_SHORT_SECONDS + 5)
            before, began_rest = server.requests(), process.cpu_seconds()
            await asyncio.sleep(_OBSERVED)
            rest = Rest(_by_verb(server.requests() - before), process.cpu_seconds() - began_rest)
    await _delete(server, subject, names)
    return Converged(moments[-1] - began, number / (moments[-1] - moments[0]), requests, cpu, resident, rest)


async def _delete(server: Server, subject: Subject, names: list[str]) -> None:
    """No process is left that would remove its finalizers."""
    await at_once(server.strip(f"{subject.path}/{name}") for name in names)
    await server.delete_all(subject.path)


def _by_verb(requests: Counter[tuple[str, str]]) -> Counter[str]:
    """Watches are one long request each, and left out."""
    found: Counter[str] = Counter()
    for (verb, _), count in requests.items():
        if verb != "WATCH":
            found[verb] += count
    return found
