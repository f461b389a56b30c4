"""Many Plans on one operator: from nothing to all Ready, at rest, after a restart; and how long a new Plan takes."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from benchmarks.crowd.reading import read
from benchmarks.operator.contenders import CONTENDERS
from benchmarks.operator.probes import probing
from benchmarks.operator.process import running
from benchmarks.operator.server import WRITES
from benchmarks.pages import tell
from tests.integration.endpoints import Endpoints

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from benchmarks.crowd.reading import Reading
    from benchmarks.operator.contenders import Contender
    from benchmarks.operator.probes import Probe
    from benchmarks.operator.process import Running
    from benchmarks.operator.server import Server

__all__ = ["Life", "Rest", "Restart", "live"]

_PER_SECOND = 20.0
"""New Plans beside the others."""
_CHECKS_PER_SECOND = 1000
_PROBED = 15.0
_SETTLES = 2.0
_LOOK = 0.5
"""Between two looks: each costs the operator some milliseconds."""
_RECONCILES = 'execloop_reconciles_total{result="requeued"}'
_PATIENCE = 3600.0


@dataclass(frozen=True)
class Rest:
    seconds: float
    writes: int
    cpu_seconds: float


@dataclass(frozen=True)
class Restart:
    """Seconds since the start of the process."""

    listed: float
    """All Plans are known: from here on a new Plan is seen at once."""
    looked_at: float
    """Each has had its first reconcile."""
    cpu_seconds: float
    resident_mib: float


@dataclass
class Life:
    number: int
    created_per_second: float = 0.0
    empty_mib: float = 0.0
    """The operator's memory without a Plan."""
    start_cpu: float = 0.0
    """Of a process without a Plan, until it has nothing to do."""
    start_seconds: float = 0.0
    """Until it is ready without a Plan."""
    plans_per_second: float = 0.0
    backlog_cpu: float = 0.0
    backlog_mib: float = 0.0
    status_writes: float = 0.0
    rest: Rest | None = None
    reading: Reading | None = None
    restarts: list[Restart] = field(default_factory=list)
    latencies: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from the request to Ready of the new Plans, by what the operator did meanwhile."""
    checks_per_second: float = 0.0
    check_cpu: float = 0.0
    """Seconds for each check, with what the new Plans beside them took."""
    empty_api_server_mib: float = 0.0
    api_server_mib: float = 0.0
    storage_mib: float = 0.0


@asynccontextmanager
async def _operating(server: Server) -> AsyncGenerator[tuple[Running, Endpoints]]:
    with Endpoints.reserved() as endpoints:
        given = CONTENDERS["execloop"]
        port = f"--health-port={endpoints.port}"
        contender: Contender = replace(given, command=lambda cluster: [*given.command(cluster), port])
        with running(contender, server.cluster) as process:
            yield process, endpoints


async def live(server: Server, number: int, *, restarts: int, idle_seconds: float, checks: bool) -> Life:
    life = Life(number)
    names = [f"plan-{index:06d}" for index in range(number)]
    await server.clean()
    life.empty_api_server_mib, _ = server.memory()
    began = time.monotonic()
    async with _operating(server) as (process, endpoints):
        life.start_seconds = await _listed(endpoints) - began
        await asyncio.sleep(_SETTLES)
        life.empty_mib, life.start_cpu = process.resident_mib(), process.cpu_seconds()
    began = time.monotonic()
    await server.fill(names, "noop", 3)
    life.created_per_second = number / (time.monotonic() - began)
    tell(f"{number:,} Plans created, {life.created_per_second:.0f} a second")
    await _converge(server, life, idle_seconds)
    life.reading = await read(server)
    for turn in range(restarts):
        await _restart(server, life, turn)
    if checks:
        await _check(server, life, names)
    life.api_server_mib, life.storage_mib = server.memory()
    return life


async def _converge(server: Server, life: Life, idle_seconds: float) -> None:
    version, before = await server.version(), server.requests()
    async with _operating(server) as (process, _):
        moments: list[float] = []
        async with aclosing(server.ready(version, seconds=_PATIENCE)) as ready:
            async for _name, moment in ready:
                moments.append(moment)
                if len(moments) == life.number:
                    break
        await asyncio.sleep(_SETTLES)
        requests = server.requests() - before
        life.plans_per_second = life.number / (moments[-1] - moments[0])
        life.status_writes = sum(requests[verb, "plans/status"] for verb in WRITES) / life.number
        life.backlog_cpu, life.backlog_mib = process.cpu_seconds(), process.resident_mib()
        tell(f"all Ready, {life.plans_per_second:.0f} a second")
        before, began = server.requests(), process.cpu_seconds()
        await asyncio.sleep(idle_seconds)
        writes = sum(count for (verb, _), count in (server.requests() - before).items() if verb in WRITES)
        life.rest = Rest(idle_seconds, writes, process.cpu_seconds() - began)
        async with probing(server, "idle", _PER_SECOND) as probes:
            await asyncio.sleep(_PROBED)
        life.latencies["nothing else"] = [probe.seconds for probe in probes.found.values()]


async def _restart(server: Server, life: Life, turn: int) -> None:
    began = time.monotonic()
    async with (
        _operating(server) as (process, endpoints),
        probing(server, f"restart-{turn}", _PER_SECOND) as probes,
    ):
        listed = await _listed(endpoints)
        looked_at = await _reconciled(endpoints, life.number)
        cpu, resident = process.cpu_seconds(), process.resident_mib()
    life.restarts.append(Restart(listed - began, looked_at - began, cpu, resident))
    tell(f"all looked at {looked_at - began:.1f} s after the start")
    found = probes.found.values()
    _add(life, "it starts and reads the list", (probe for probe in found if probe.began < listed))
    _add(life, "each Plan has its first look after a restart", (p for p in found if listed <= p.began < looked_at))


def _add(life: Life, phase: str, probes: Iterable[Probe]) -> None:
    life.latencies.setdefault(phase, []).extend(probe.seconds for probe in probes)


async def _check(server: Server, life: Life, names: list[str]) -> None:
    """Each Plan is looked at every few seconds, because of its interval."""
    await server.edit(names, {"interval": f"{max(1, life.number // _CHECKS_PER_SECOND)}s"})
    async with _operating(server) as (process, endpoints):
        await _reconciled(endpoints, 2 * life.number)  # the edits are taken, the checks steady
        before, began, cpu = await _reconciles(endpoints), time.monotonic(), process.cpu_seconds()
        async with probing(server, "checks", _PER_SECOND) as probes:
            await asyncio.sleep(_PROBED)
        checks = await _reconciles(endpoints) - before
        life.checks_per_second = checks / (time.monotonic() - began)
        life.check_cpu = (process.cpu_seconds() - cpu) / checks
    _add(life, "all Plans are checked again and again", probes.found.values())


async def _reconciles(endpoints: Endpoints) -> float:
    return await asyncio.to_thread(endpoints.metric, _RECONCILES) or 0.0


async def _listed(endpoints: Endpoints) -> float:
    """Return the moment at which the operator is ready, which it is once it has listed all Plans."""
    async with asyncio.timeout(_PATIENCE):
        while await asyncio.to_thread(endpoints.ready) != "ok":  # noqa: ASYNC110 - another process becomes ready
            await asyncio.sleep(_LOOK / 20)
    return time.monotonic()


async def _reconciled(endpoints: Endpoints, number: int) -> float:
    """Return the moment at which there were so many reconciles."""
    async with asyncio.timeout(_PATIENCE):
        while await _reconciles(endpoints) < number:  # noqa: ASYNC110 - another process works
            await asyncio.sleep(_LOOK)
    return time.monotonic()
