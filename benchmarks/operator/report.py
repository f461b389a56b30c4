"""The page that says what was measured."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.operator.contenders import CONTENDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.operator.measure import Backlog, Reaction

__all__ = ["Sitting", "as_markdown"]

_PREAMBLE = """\
# What the operator costs

{number:,} Plans wait, an operator starts, and all become Ready: how many Plans a second from the first to the last.
Each contender has the API server to itself, one after the other in one sitting. {machine}, shared with the API server
and its etcd. Of {rounds} rounds the best. Made by `make bench-operator`.

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
The status that execloop writes also holds the execution and its history; the others write one condition. *The same
work* is that controller reading what is live, asking again until nothing is left, and writing the same status.

"""
_REACTION = """\
## One Plan at a time

From the request that creates a Plan `noop` to the watch event that shows it Ready, with no other Plan there to
reconcile. Then the writes, of any kind, while nothing changes.

| | median | 90th percentile | writes in {idle:.0f} s at rest |
|---|---:|---:|---:|
"""
_NONE = "-"
_QUIET = 0.5


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
    reactions: dict[str, Reaction] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def as_markdown(sitting: Sitting) -> str:
    preamble = _PREAMBLE.format(machine=sitting.machine, number=sitting.number, rounds=sitting.rounds)
    if sitting.load > _QUIET:
        preamble += _NOT_QUIET.format(load=sitting.load)
    plans = dict.fromkeys(plan for plan, _ in sitting.backlogs)
    tables = [line for plan in plans for line in _table(sitting, plan)]
    return "".join([preamble, *tables, _NOTES, *_left_out(sitting), *_reaction(sitting)])


def _speed(sitting: Sitting, plan: str, name: str) -> float | None:
    found = sitting.backlogs.get((plan, name))
    return max(backlog.plans_per_second for backlog in found) if found else None


def _table(sitting: Sitting, plan: str) -> Iterator[str]:
    yield f"## `{plan}`\n\n"
    yield "| | Plans/s | of controller-runtime | of the floor | status writes | CPU s | memory MiB |\n"
    yield "|---|---:|---:|---:|---:|---:|---:|\n"
    for (of, name), found in sitting.backlogs.items():
        if of != plan:
            continue
        best = max(found, key=lambda backlog: backlog.plans_per_second)
        yield (
            f"| {CONTENDERS[name].title} | {best.plans_per_second:.0f}"
            f" | {_ratio(best.plans_per_second, _speed(sitting, plan, 'controller-runtime'))}"
            f" | {_ratio(best.plans_per_second, _speed(sitting, plan, 'floor'))}"
            f" | {max(backlog.status_writes for backlog in found):.2f}"
            f" | {min(backlog.cpu_seconds for backlog in found):.1f}"
            f" | {max(backlog.resident_mib for backlog in found):.0f} |\n"
        )
    yield "\n"


def _ratio(value: float, base: float | None) -> str:
    return _NONE if base is None else f"{value / base:.2f}"


def _left_out(sitting: Sitting) -> Iterator[str]:
    for name, reason in sitting.missing.items():
        yield f"{CONTENDERS[name].title} is missing: {reason}.\n\n"


def _reaction(sitting: Sitting) -> Iterator[str]:
    if not sitting.reactions:
        return
    yield _REACTION.format(idle=sitting.idle_seconds)
    for name, found in sitting.reactions.items():
        deciles = statistics.quantiles(found.milliseconds, n=10)
        median = statistics.median(found.milliseconds)
        yield f"| {CONTENDERS[name].title} | {median:.1f} ms | {deciles[8]:.1f} ms | {found.idle_writes} |\n"
