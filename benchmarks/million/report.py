"""The page about a million Plans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.million.model import Limits, need, replicas
from benchmarks.million.simulation import restart
from benchmarks.picture import Point, curves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.million.model import Costs

__all__ = ["Check", "as_markdown", "as_svg", "checks"]

_SIZES = (10_000, 100_000, 300_000, 1_000_000)
_CORES = 4
_ETCD = 8 * 2**30
_GIB, _MIB = 2**30, 2**20
_FLOW_CONTROL = Path(__file__).with_name("flow_control.yaml")
_PAGE = """\
# A million Plans, on paper

No machine here bears a million Plans. This page computes what they need from costs that were measured with {number:,}
real ones ({source}), and simulates the moment that hurts most: all replicas restart at once. `make bench` makes it.

![CPU of a replica after a restart, against the number of Plans](million.svg)

## What it takes

Each Plan is looked at every 10 minutes, which sends {requests:g} request; once an hour its spec is edited. A replica
has 1 GiB, uses at most 70 % of its core, and after a restart has looked at each of its Plans with two minutes of CPU.
The API server sends every replica all Plans, as it does without the alpha feature `ShardedListAndWatch`; its own
{cores} cores serve the lists.

| | {heads} |
|---|{lines}|
"""
_BREAKS = """
## What breaks first

{breaks}

The figures of the API server and of etcd are upper bounds: right after a run they hold garbage, and revisions that are
not compacted yet. 100,000 real Plans took 2.7 GiB of the API server and 0.44 GiB of etcd, that is 27 and 4.5 KiB each:
with those a million needs 27 GiB and 4.4 GiB.

`ShardedListAndWatch` (`--shard-selector`) changes the lines about lists and events: each replica is sent its own Plans
only. With a million Plans a replica then reads its list in {filtered:.0f} s of CPU instead of {whole:.0f} s.

## The formulas

With *N* Plans on *S* replicas, own = *N* / *S*:

| | |
|---|---|
| memory of a replica | {base:.0f} MiB + own {x} {plan:.1f} KiB |
| to read a list | own {x} {take:.0f} µs + (*N* - own) {x} {discard:.0f} µs |
| until all are listed | {start:.1f} s + that + *N* {x} {server:.0f} µs, in which it looks at its own already |
| CPU until each was looked at | {start:.1f} s + that + own {x} {look:.0f} µs |
| a core at rest | own / interval {x} {check:.0f} µs + edits {x} {converge:.1f} ms + events {x} {discard:.0f} µs |
| events to each replica | 2 {x} edits of all *N* |
| requests | *N* / interval {x} requests of a check + edits |
| API server, memory | *N* {x} {cached:.0f} KiB |
| API server, CPU for all lists | *S* {x} *N* {x} {server:.0f} µs |
| etcd | *N* {x} {stored:.1f} KiB |

## Checked against real runs

{checked}
## Settings of the API server

A page of 500 Plans counts as 5 requests at once. When {shards} replicas start, their lists want {seats} seats. By
default they share the level `workload-low` with every other service account. Give execloop a level of its own, and its
Leases the one for leader election, so that a list never delays a renewal:

```yaml
{flow_control}```

30 shares are {nominal} of the 600 requests that an API server takes at one moment by default.
"""


@dataclass(frozen=True)
class Check:
    """A figure of a real run, and what the model says."""

    plans: int
    what: str
    real: float
    model: float
    unit: str


def checks(life: Mapping[str, Any], costs: Costs, *, fitted: bool) -> Iterator[Check]:
    """Yield what a run shows and the model predicts; of the run that the costs are fitted to, what it did not give."""
    number, last = life["number"], life["restarts"][-1]
    simulated = restart(number, 1, costs, cores=1)
    yield Check(number, "restart: all are listed after", last["listed"], simulated.listed, "s")
    yield Check(number, "restart: all are looked at after", last["looked_at"], simulated.looked_at, "s")
    if fitted:
        return
    found = need(number, 1, costs, Limits(requests=0.0, changes=0.0))
    backlog = costs.start + number * costs.converge
    cached = life["api_server_mib"] - life.get("empty_api_server_mib", 0.0)
    yield Check(number, "memory of the operator", last["resident_mib"], found.memory / _MIB, "MiB")
    yield Check(number, "CPU until each was looked at", last["cpu_seconds"], found.looked_at, "s")
    yield Check(number, "CPU from nothing to all Ready", life["backlog_cpu"], backlog, "s")
    yield Check(number, "memory of the API server for them", cached, found.server_memory / _MIB, "MiB")
    yield Check(number, "etcd's database", life["storage_mib"], found.stored / _MIB, "MiB")


def _rows(costs: Costs, limits: Limits) -> Iterator[tuple[str, list[str]]]:
    shards = [replicas(size, costs, limits) for size in _SIZES]
    needs = [need(size, count, costs, limits) for size, count in zip(_SIZES, shards, strict=True)]
    restarts = [restart(size, count, costs, cores=_CORES) for size, count in zip(_SIZES, shards, strict=True)]
    yield "replicas", [f"{count}" for count in shards]
    yield "memory of each", [f"{each.memory / _MIB:.0f} MiB" for each in needs]
    yield "of a core, each", [f"{each.cpu:.0%}" for each in needs]
    yield "requests a second, all", [f"{each.requests:.0f}" for each in needs]
    yield "events a second, to each", [f"{each.events:.0f}" for each in needs]
    yield "pages of a list", [f"{each.pages:,}" for each in needs]
    yield "all restart: listed after", [f"{each.listed:.0f} s" for each in restarts]
    yield "all restart: looked at after", [f"{each.looked_at:.0f} s" for each in restarts]
    yield "all restart: CPU of the API server", [f"{each.server_list:.0f} s" for each in needs]
    yield "memory of the API server for them", [f"{each.server_memory / _GIB:.1f} GiB" for each in needs]
    yield "etcd's database (limit 8 GiB)", [f"{each.stored / _GIB:.2f} GiB" for each in needs]


def _breaks(costs: Costs, limits: Limits) -> Iterator[str]:
    """Yield what ends where, the first one first."""
    one_memory = (limits.memory - costs.base_bytes) / costs.plan_bytes
    one_start = (limits.restart - costs.start) / (costs.take + costs.look)
    listed = limits.restart / (costs.discard + costs.server)
    ends = [
        (one_memory, "one replica has no memory left (1 GiB)"),
        (one_start, "one replica needs over two minutes of CPU after a restart"),
        (listed, "a list takes over two minutes, however many replicas there are: each page waits for the one before"),
        (16 * _GIB / costs.cached_bytes, "an API server of 16 GiB has no memory left for its cache"),
        (_ETCD / costs.stored_bytes, "etcd is at its usual limit of 8 GiB"),
    ]
    for number, (plans, what) in enumerate(sorted(ends), 1):
        yield f"{number}. At {_round(plans)} Plans {what}."


def _round(plans: float) -> str:
    return f"{plans / 1e6:.1f} million" if plans >= 1e6 else f"{round(plans, -4):,.0f}"


def _checked(found: list[Check]) -> str:
    if not found:
        return "No real run is there: `make bench-crowd` and `make bench-100k` make them.\n"
    head = "| Plans | | real | model | |\n|---:|---|---:|---:|---:|\n"
    return head + "".join(
        f"| {each.plans:,} | {each.what} | {each.real:.1f} {each.unit} | {each.model:.1f} {each.unit}"
        f" | {each.model / each.real - 1:+.0%} |\n"
        for each in found
    )


def as_markdown(costs: Costs, limits: Limits, number: int, source: str, found: list[Check]) -> str:
    shards = replicas(_SIZES[-1], costs, limits)
    most = need(_SIZES[-1], shards, costs, limits)
    head = _PAGE.format(
        number=number,
        source=source,
        requests=limits.requests,
        cores=_CORES,
        heads=" | ".join(f"{size:,}" for size in _SIZES),
        lines="|".join("---:" for _ in _SIZES),
    )
    table = "".join(f"| {what} | {' | '.join(values)} |\n" for what, values in _rows(costs, limits))
    return (
        head
        + table
        + _BREAKS.format(
            breaks="\n".join(_breaks(costs, limits)),
            filtered=need(_SIZES[-1], shards, costs, limits, filtered=True).read,
            whole=most.read,
            base=costs.base_bytes / _MIB,
            plan=costs.plan_bytes / 1024,
            cached=costs.cached_bytes / 1024,
            stored=costs.stored_bytes / 1024,
            start=costs.start,
            converge=1000 * costs.converge,
            **{name: 1e6 * getattr(costs, name) for name in ("take", "discard", "look", "check", "server")},
            checked=_checked(found),
            shards=shards,
            seats=f"{most.seats:.0f}",
            nominal=f"{600 * 30 / 275:.0f}",
            flow_control=_FLOW_CONTROL.read_text(),
            x="\u00d7",
        )
    )


def as_svg(costs: Costs, limits: Limits, note: str) -> str:
    def line(shards: int, what: str) -> list[Point]:
        return [Point(size, float(getattr(need(size, shards, costs, limits), what))) for size in _SIZES]

    lines = {f"{shards} replicas: seconds of CPU after a restart": line(shards, "looked_at") for shards in (1, 4, 16)}
    return curves(
        "From the start until each Plan was looked at", note, lines, lambda n: f"{n:,.0f}", lambda s: f"{s:g} s"
    )
