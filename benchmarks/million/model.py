"""The model: what N Plans on S replicas need, from a few measured costs. Each formula is one line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Costs", "Limits", "Need", "need", "replicas"]

_PAGE = 500
"""Plans in a page of a list."""
_SEATS_A_PAGE = 5
"""The API server counts a list of 500 objects as so many requests at once."""


@dataclass(frozen=True)
class Costs:
    """Seconds of CPU and bytes, each for one Plan, measured with 10,000 Plans on 2 cores."""

    start: float = 1.2
    """Of a process without a Plan."""
    # What a list takes is the median of what crowd/reading.py found with 3,000 and 10,000 Plans; a new run has its own.
    take: float = 70e-6
    """To read a Plan of a list and keep it: HTTP and JSON 30 µs, then the cache and the queue. Readings: 68 to 77."""
    discard: float = 39e-6
    """To read a Plan of a list or an event and see that another replica has it. Readings: 33 to 43."""
    look: float = 300e-6
    """The first look after a restart, beside what it takes to read the Plan."""
    check: float = 700e-6
    """One call of a plan's `create()` at its interval, and its reconcile."""
    converge: float = 2.3e-3
    """From a new Plan to its Ready."""
    base_bytes: float = 90 * 2**20
    """Of a process without a Plan."""
    plan_bytes: float = 8 * 2**10
    """Of a Plan at rest in the operator."""
    cached_bytes: float = 24 * 2**10
    """Of a Plan in the API server."""
    stored_bytes: float = 1.6 * 2**10
    """Of a Plan in etcd's database."""
    server: float = 110e-6
    """Of the API server, to send a Plan of a list: 2.2 kB of JSON from its watch cache. Readings: 82 to 137."""

    @classmethod
    def measured(cls, life: Mapping[str, Any]) -> Costs:
        """Return the costs that the figures of a crowd show; what they do not show keeps its default."""
        plain, number, last = cls(), life["number"], life["restarts"][-1]
        reading = life.get("reading") or {}  # crowd/reading.py measures it; an older run does not have it
        take = reading.get("take", plain.take)
        start = life.get("start_cpu") or plain.start
        whole = (last["cpu_seconds"] - start) / number
        cached = (life["api_server_mib"] - life.get("empty_api_server_mib", 0.0)) * 2**20 / number
        return cls(
            start=start,
            take=take,
            discard=reading.get("discard", plain.discard),
            server=reading.get("server", plain.server),
            look=max(whole - take, take),
            check=life.get("check_cpu") or plain.check,
            converge=(life["backlog_cpu"] - start) / number,
            base_bytes=life["empty_mib"] * 2**20,
            plan_bytes=(last["resident_mib"] - life["empty_mib"]) * 2**20 / number,
            cached_bytes=cached,
            stored_bytes=life["storage_mib"] * 2**20 / number,
        )


@dataclass(frozen=True)
class Limits:
    """What a replica may take, and how the Plans are."""

    memory: float = 2**30
    cpu: float = 0.7
    """Of the one core that Python has."""
    restart: float = 120.0
    """Seconds of its CPU until a replica has looked at each of its Plans."""
    interval: float = 600.0
    requests: float = 1.0
    """To the API server at each check: 0 for `manifests` whose objects are watched."""
    changes: float = 1 / 3600
    """New or edited Plans a second for each Plan: one an hour."""


@dataclass(frozen=True)
class Need:
    """For each replica, and for all of them where it says so."""

    memory: float
    cpu: float
    """Share of a core while Plans are checked at their interval, and some are edited."""
    read: float
    """CPU seconds to read the list of all Plans."""
    looked_at: float
    """CPU seconds from the start until each own Plan was looked at."""
    requests: float
    """A second, of all replicas."""
    events: float
    """A second."""
    server_memory: float
    server_list: float
    """CPU seconds of the API server to send the list to all replicas."""
    seats: float
    """That lists of all replicas take at one moment."""
    stored: float
    pages: int


def need(plans: int, shards: int, costs: Costs, limits: Limits, *, filtered: bool = False) -> Need:
    """Return what it takes. `filtered`: the API server sends each replica its own Plans only."""
    own = plans / shards
    sent = own if filtered else plans
    checks, changes = own / limits.interval, own * limits.changes
    events = 2 * sent * limits.changes  # the edit, and the status that follows
    read = own * costs.take + (sent - own) * costs.discard
    return Need(
        memory=costs.base_bytes + own * costs.plan_bytes,
        cpu=checks * costs.check + changes * costs.converge + events * costs.discard,
        read=read,
        looked_at=costs.start + read + own * costs.look,
        requests=shards * (checks * limits.requests + changes),
        events=events,
        server_memory=plans * costs.cached_bytes,
        server_list=shards * sent * costs.server,
        seats=shards * _SEATS_A_PAGE,
        stored=plans * costs.stored_bytes,
        pages=math.ceil(sent / _PAGE),
    )


def replicas(plans: int, costs: Costs, limits: Limits, *, filtered: bool = False, most: int = 256) -> int:
    """Return the fewest replicas that stay within the limits. Raises ValueError when none of up to `most` does."""
    for shards in range(1, most + 1):
        found = need(plans, shards, costs, limits, filtered=filtered)
        if found.memory <= limits.memory and found.cpu <= limits.cpu and found.looked_at <= limits.restart:
            return shards
    raise ValueError(f"{plans:,} Plans do not fit {most} replicas")
