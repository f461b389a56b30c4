"""Candidates for one Lease, on clocks of their own, against a server that compares versions: every interleaving."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from execloop.kube.lease.election import Candidate, Claim, LeaseTimes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NAMES = "abc"


class Step(NamedTuple):
    """One request of a candidate; seconds of true time."""

    patient: bool
    """Whether the candidate waits until it may write; else it looks, or renews, at once."""
    idle: float
    """Before the request is sent, on top of that."""
    there: float
    """Until the server does it."""
    back: float
    """From then until the answer is here, or until the candidate no longer waits for it."""
    lost: bool
    lets_go: bool
    """A holder releases rather than renews."""


@dataclass
class Server:
    claim: Claim | None = None
    version: int = 0

    def put(self, claim: Claim, version: int) -> bool:
        if version != self.version:
            return False
        self.claim, self.version = claim, version + 1
        return True


@dataclass
class Actor:
    candidate: Candidate
    rate: float
    """Seconds of its clock in a true second."""
    steps: Iterator[Step]
    version: int = 0
    renewals: Iterator[int] = field(default_factory=itertools.count)

    def clock(self, true: float) -> float:
        return 1000.0 * self.rate + true * self.rate

    def believes(self, true: float) -> bool:
        return self.candidate.left(self.clock(true)) > 0


class World:
    """`run` yields, at each moment at which something happens, who believes to hold the Lease."""

    def __init__(self, times: LeaseTimes, rates: Sequence[float], steps: Sequence[Sequence[Step]]) -> None:
        self.server = Server()
        self.actors = [
            Actor(Candidate(name, times), rate, iter(own)) for name, rate, own in zip(NAMES, rates, steps, strict=False)
        ]
        self.taken = 0
        self._agenda: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._now = 0.0
        for actor in self.actors:
            self._at(0.0, self._next(actor))

    def run(self) -> Iterator[list[str]]:
        while self._agenda:
            self._now, _, happen = heapq.heappop(self._agenda)
            happen(self._now)
            yield [actor.candidate.identity for actor in self.actors if actor.believes(self._now)]

    def _at(self, true: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._agenda, (true, next(self._order), happen))

    def _next(self, actor: Actor) -> Callable[[float], None]:
        def begin(true: float) -> None:
            if (step := next(actor.steps, None)) is not None:
                wait = actor.candidate.wait(actor.clock(true)) / actor.rate if step.patient else 0.0
                self._at(true + wait + step.idle, lambda now: self._send(actor, step, now))

        return begin

    def _send(self, actor: Actor, step: Step, true: float) -> None:
        candidate, sent = actor.candidate, actor.clock(true)
        if candidate.wait(sent) > 0:
            self._at(true + step.there, lambda now: self._read(actor, step, now))
            return
        renewed, version = f"{candidate.identity}{next(actor.renewals)}", actor.version
        lets_go = step.lets_go and actor.believes(true)
        claim = candidate.release(renewed) if lets_go else candidate.claim(renewed)

        def arrive(now: float) -> None:
            took = self.server.put(claim, version)
            if step.lost:
                return
            if took:
                self._at(now + step.back, lambda later: answered(version + 1, later))
            else:
                self._read(actor, step, now)

        def answered(version: int, later: float) -> None:
            actor.version = version
            candidate.wrote(claim, sent)
            self.taken += bool(claim.holder)
            self._next(actor)(later)

        self._at(true + step.there, arrive)
        if step.lost:
            self._at(true + step.back, self._next(actor))

    def _read(self, actor: Actor, step: Step, true: float) -> None:
        claim, version = self.server.claim, self.server.version

        def seen(now: float) -> None:
            actor.version = version
            actor.candidate.see(claim, actor.clock(now))
            self._next(actor)(now)

        self._at(true + step.back, seen)
