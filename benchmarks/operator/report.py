"""The page that says what was measured."""

from __future__ import annotations

import statistics
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING

from benchmarks.operator.contenders import CONTENDERS
from benchmarks.operator.measure import Backlog
from benchmarks.operator.restart import PER_SECOND, SETTLES
from benchmarks.picture import Bar, Group, bars
from benchmarks.statistics import percentile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from benchmarks.operator.measure import Live, Reaction
    from benchmarks.operator.restart import Restart

__all__ = ["Sitting", "as_markdown", "as_svg"]

_PREAMBLE = """\
# What the operator costs

{number:,} Plans wait, an operator starts, and all become Ready: how many Plans a second from the first to the last.
Each contender has the API server to itself, one after the other in one sitting. {machine}, shared with the API server
and its etcd. Of {rounds} rounds the median, and the load average was {load:.1f} before the first. Made by
`make bench-operator`.

![Plans a second and processor time](operator.svg)

"""
_NOT_QUIET = """\
**The machine was not quiet**: it had a load average of {load:.0f} before the sitting began. Speeds are then low, times
long and ratios rough; status writes and memory hold.

"""
_NOTES = """\
*status writes*: requests that wrote a Plan or its status, for each Plan, as the API server counts them. *CPU*: of the
operator's process, from its start until 1.5 s after the last Plan was ready. *memory*: resident, of that process, with
all Plans ready.

The plan `noop` has three tasks that do nothing, once. The plan `configmaps` wants three ConfigMaps. All Plans have
`sleepBetweenRuns: 0s`. execloop asks a plan again after its tasks have run, and calls it converged when nothing is
left; the controller in Go trusts that its tasks did what they should, and looks for ConfigMaps in its informer's cache.
The status that execloop writes also holds the execution; the others write one condition. *The same
work* is that controller reading what is live, asking again until nothing is left, and writing the same status. With
`cached=True` the plan reads its ConfigMaps from the operator's watch: 4 requests a Plan in place of 10.

"""
_REACTION = """\
## One Plan at a time

From the request that creates a Plan `noop` to the watch event that shows it Ready, with no other Plan there to
reconcile. Then the writes, of any kind, while nothing changes.

| | median | 90th percentile | writes in {idle:.0f} s at rest |
|---|---:|---:|---:|
"""
_LIVE = """\
## New Plans at a steady rate

{rate:.0f} new Plans `noop` a second for {seconds:.0f} s, while the contender works, {rounds} times in turn: from the
request that creates a Plan to its Ready, and the CPU of the contender for each.

| | Plans | median | 99th percentile | CPU a Plan |
|---|---:|---:|---:|---:|
"""
_RESTART = """\
## After a restart

The contender has brought {number:,} Plans `noop` to Ready, was ended with SIGTERM, and starts again; from that moment
on {rate:.0f} new Plans a second are created until the first of them is Ready. *first new Plan*: seconds from the start
of the process until then. *CPU*: of the process, until {settles:.0f} s after all new Plans are Ready. *status writes*:
in the same time, beside one for each new Plan.

| | first new Plan | CPU | status writes |
|---|---:|---:|---:|
"""
_NONE = "-"
_QUIET = 0.5
_SHORT = {
    "controller-runtime": "controller-runtime (Go)",
    "same-work": "the same work in Go",
    "kopf": "Kopf handlers",
    "execloop-cached": "execloop, cached reads",
}


@dataclass
class Sitting:
    machine: str
    load: float
    """The load average of the minute before it began."""
    number: int
    rounds: int
    idle_seconds: float
    backlogs: dict[tuple[str, str], list[Backlog]] = field(default_factory=dict)
    """By plan and contender."""
    live_seconds: float = 10.0
    lives: dict[str, Live] = field(default_factory=dict)
    restarts: dict[str, list[Restart]] = field(default_factory=dict)
    reactions: dict[str, Reaction] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def as_markdown(sitting: Sitting) -> str:
    preamble = _PREAMBLE.format(
        machine=sitting.machine, number=sitting.number, rounds=sitting.rounds, load=sitting.load
    )
    if sitting.load > _QUIET:
        preamble += _NOT_QUIET.format(load=sitting.load)
    tables = [line for plan in _plans(sitting) for line in _table(sitting, plan)]
    parts = (_left_out, _live, _restart, _reaction)
    return "".join([preamble, *tables, _NOTES, *(line for part in parts for line in part(sitting))])


def _plans(sitting: Sitting) -> Iterable[str]:
    return dict.fromkeys(plan for plan, _ in sitting.backlogs)


def _median(sitting: Sitting, plan: str, name: str) -> Backlog | None:
    """Return the median of each figure over the rounds."""
    found = sitting.backlogs.get((plan, name))
    return Backlog(*map(statistics.median, zip(*map(astuple, found), strict=True))) if found else None


def _table(sitting: Sitting, plan: str) -> Iterator[str]:
    yield f"## `{plan}`\n\n"
    yield "| | Plans/s | of the same work | of controller-runtime | CPU s | of the same work"
    yield " | status writes | memory MiB |\n"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|\n"
    same, light = _median(sitting, plan, "same-work"), _median(sitting, plan, "controller-runtime")
    for of, name in sitting.backlogs:
        found = _median(sitting, of, name)
        if of == plan and found is not None:
            yield (
                f"| {CONTENDERS[name].title} | {found.plans_per_second:.0f}"
                f" | {_ratio(found, same, 'plans_per_second')} | {_ratio(found, light, 'plans_per_second')}"
                f" | {found.cpu_seconds:.2f} | {_ratio(found, same, 'cpu_seconds')}"
                f" | {found.status_writes:.2f} | {found.resident_mib:.0f} |\n"
            )
    yield "\n"


def _ratio(found: Backlog, base: Backlog | None, figure: str) -> str:
    return _NONE if base is None else f"{getattr(found, figure) / getattr(base, figure):.2f}"


def as_svg(sitting: Sitting) -> str:
    groups = []
    for plan in _plans(sitting):
        found = {name: median for name in CONTENDERS if (median := _median(sitting, plan, name)) is not None}
        speeds = {name: (each.plans_per_second, f"{each.plans_per_second:.0f}") for name, each in found.items()}
        costs = {name: (each.cpu_seconds, f"{each.cpu_seconds:.1f} s") for name, each in found.items()}
        groups += [_group(f"{plan}: Plans a second", speeds), _group(f"{plan}: processor time", costs)]
    lives = {name: 1000 * percentile(each.seconds, 99) for name, each in sitting.lives.items()}
    if lives:
        latencies = {name: (value, f"{value:.0f} ms") for name, value in lives.items()}
        groups.append(_group("new Plans at a steady rate: 99th percentile", latencies))
    starts = {name: _middle(found, "first_ready") for name, found in sitting.restarts.items()}
    if starts:
        seconds = {name: (value, f"{value:.1f} s") for name, value in starts.items()}
        groups.append(_group("after a restart: the first new Plan is Ready", seconds))
    return bars(f"{sitting.number:,} Plans, and new ones", sitting.machine, groups)


def _group(title: str, values: Mapping[str, tuple[float, str]]) -> Group:
    return Group(
        title, [Bar(_SHORT.get(name, name), value, text, _kind(name)) for name, (value, text) in values.items()]
    )


def _kind(name: str) -> str:
    return "hand" if name == "floor" else "ours" if name.startswith("execloop") else "peer"


def _left_out(sitting: Sitting) -> Iterator[str]:
    for name, reason in sitting.missing.items():
        yield f"{CONTENDERS[name].title} is missing: {reason}.\n\n"


def _live(sitting: Sitting) -> Iterator[str]:
    if not sitting.lives:
        return
    rate = next(iter(sitting.lives.values())).per_second
    yield _LIVE.format(rate=rate, seconds=sitting.live_seconds, rounds=sitting.rounds)
    for name, found in sitting.lives.items():
        middle, high = (1000 * percentile(found.seconds, share) for share in (50, 99))
        yield f"| {CONTENDERS[name].title} | {len(found.seconds)} | {middle:.1f} ms | {high:.1f} ms"
        yield f" | {found.cpu_milliseconds:.2f} ms |\n"
    yield "\n"


def _reaction(sitting: Sitting) -> Iterator[str]:
    if not sitting.reactions:
        return
    yield _REACTION.format(idle=sitting.idle_seconds)
    for name, found in sitting.reactions.items():
        deciles = statistics.quantiles(found.milliseconds, n=10)
        median = statistics.median(found.milliseconds)
        yield f"| {CONTENDERS[name].title} | {median:.1f} ms | {deciles[8]:.1f} ms | {found.idle_writes} |\n"


def _restart(sitting: Sitting) -> Iterator[str]:
    if not sitting.restarts:
        return
    yield _RESTART.format(number=sitting.number, rate=PER_SECOND, settles=SETTLES)
    for name, found in sitting.restarts.items():
        ready, cpu, writes = (_middle(found, figure) for figure in ("first_ready", "cpu_seconds", "status_writes"))
        yield f"| {CONTENDERS[name].title} | {ready:.2f} s | {cpu:.2f} s | {writes:.0f} |\n"
    yield "\n"


def _middle(found: list[Restart], figure: str) -> float:
    return float(statistics.median(getattr(each, figure) for each in found))
