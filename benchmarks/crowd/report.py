"""The page about many Plans on one operator."""

from __future__ import annotations

import json
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.picture import Bar, Group, bars
from benchmarks.statistics import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.crowd.measure import Life

__all__ = ["as_json", "as_markdown", "as_svg"]

_PAGE = """\
# {number:,} Plans on one operator

{number:,} Plans `noop` in etcd, one replica with its defaults. {machine}, shared with the API server, its etcd and the
benchmark; the load average was {load:.1f} before it began. Made by `{command}`.

![How long a new Plan takes while the operator does other things]({name}.svg)

| | |
|---|---:|
"""
_FAIR = """
## A new Plan beside the others

From the request that creates a Plan `noop` to the watch event that shows it Ready, 20 new Plans a second, while the
operator does this:

| | new Plans | median | 99th percentile | times the idle one |
|---|---:|---:|---:|---:|
"""
_NOTES = """
*looked at*: each Plan had its first reconcile after the start: validated, its sources and references known. *memory a
Plan*: what is resident after a restart, less what is resident without a Plan. A Plan that is created before the
process has loaded its code and read the first page of the list waits for that: no process sees it earlier.
"""
_IDLE = "nothing else"
_DRAWN = {
    _IDLE: "at rest",
    "each Plan has its first look after a restart": "after a restart",
    "all Plans are checked again and again": "during checks",
}


def as_markdown(life: Life, name: str, machine: str, load: float, command: str) -> str:
    preamble = _PAGE.format(number=life.number, machine=machine, load=load, command=command, name=name)
    return "".join([preamble, *(f"| {what} | {value} |\n" for what, value in _figures(life)), *_fairness(life), _NOTES])


def as_json(life: Life) -> str:
    """Return the figures that the model of a million Plans begins with."""
    return json.dumps(asdict(life) | {"latencies": {}}, indent=1) + "\n"


def _figures(life: Life) -> Iterator[tuple[str, str]]:
    last = life.restarts[-1]
    yield "from nothing to all Ready, Plans a second", f"{life.plans_per_second:.0f}"
    yield "status writes a Plan", f"{life.status_writes:.2f}"
    yield "CPU of the operator until then", f"{life.backlog_cpu:.1f} s"
    yield "memory then", f"{life.backlog_mib:.0f} MiB"
    if life.rest is not None:
        yield f"writes in {life.rest.seconds:.0f} s at rest", f"{life.rest.writes}"
        yield f"CPU in {life.rest.seconds:.0f} s at rest", f"{life.rest.cpu_seconds:.2f} s"
    if life.reading is not None:
        yield "CPU to read a Plan of a list", f"{1e6 * life.reading.take:.0f} µs"
        yield "CPU to read one of another replica", f"{1e6 * life.reading.discard:.0f} µs"
        yield "CPU of the API server to send one", f"{1e6 * life.reading.server:.0f} µs"
    yield "restart: all Plans are listed after", f"{median(each.listed for each in life.restarts):.1f} s"
    yield "restart: all Plans are looked at after", f"{median(each.looked_at for each in life.restarts):.1f} s"
    yield "restart: CPU until then", f"{median(each.cpu_seconds for each in life.restarts):.1f} s"
    yield "memory after a restart, at rest", f"{last.resident_mib:.0f} MiB"
    yield "memory without a Plan", f"{life.empty_mib:.0f} MiB"
    yield "**memory a Plan**", f"**{(last.resident_mib - life.empty_mib) * 1024 / life.number:.1f} KiB**"
    yield "memory of the API server", f"{life.api_server_mib:.0f} MiB"
    yield "size of etcd's database", f"{life.storage_mib:.0f} MiB"
    yield "Plans that the benchmark created a second", f"{life.created_per_second:.0f}"


def _fairness(life: Life) -> Iterator[str]:
    if not life.latencies:
        return
    yield _FAIR
    idle = percentile(life.latencies[_IDLE], 99)
    for phase, seconds in life.latencies.items():
        if seconds:
            high = percentile(seconds, 99)
            yield f"| {_phase(life, phase)} | {len(seconds)} | {1000 * median(seconds):.1f} ms"
            yield f" | {1000 * high:.1f} ms | {high / idle:.1f} |\n"


def _phase(life: Life, phase: str) -> str:
    return f"{phase}, {life.checks_per_second:.0f} a second" if phase.startswith("all Plans are checked") else phase


def as_svg(life: Life, machine: str) -> str:
    """Draw how long a new Plan takes once the operator knows all Plans."""
    groups = []
    for title, share in (("median", 50), ("99th percentile", 99)):
        found = {name: life.latencies.get(phase) or [] for phase, name in _DRAWN.items()}
        values = {name: 1000 * percentile(seconds, share) for name, seconds in found.items() if seconds}
        groups.append(Group(title, [Bar(name, value, f"{value:.1f} ms", "ours") for name, value in values.items()]))
    return bars(f"From a new Plan to its Ready, beside {life.number:,} Plans", machine, groups)
