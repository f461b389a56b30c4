"""Which plan ended the process: pure rules over what a journal said of each death.

`Suspects` keeps what these rules return; an annotation of the Lease, or the journal itself, holds it as text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CRASHES", "Call", "Crash", "Suspicion", "after", "decode", "encode", "turn_seconds"]

CRASHES = 3
"""Deaths counted against a Plan, after which it runs no more with the same inputs."""

_MOST = 200
_TEXT_BYTES = 32_000
_FIELD = 64
_LARGEST = 1000
_MOST_TASKS = 2**32 - 1
_TURN, _LONGEST_TURN = 30.0, 3600.0


class Call(NamedTuple):
    """A call of plan code that was under way when its process died."""

    uid: str
    plan: str
    """Namespace and name, for people."""
    inputs: str
    """Identifies what it ran with: spec, referenced objects, code version, `requestedAt`."""
    left: int = 0
    """Tasks that the plan returned for this run; 0 while that is not known."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The end of a process that was not asked to end."""

    calls: tuple[Call, ...]
    """Oldest first."""
    turn: str = ""
    """The uid of the suspect whose turn it was."""

    @property
    def sole(self) -> str | None:
        """The uid of the one Plan that this death counts against, if there is one.

        That is the suspect whose turn it was, or the only Plan that ran. Among several, any may be innocent.
        """
        uids = {call.uid for call in self.calls}
        if self.turn in uids:
            return self.turn
        return uids.pop() if len(uids) == 1 else None


class Suspicion(NamedTuple):
    """What is held against a Plan until a run of it completes."""

    crashes: int
    """Deaths that count against it."""
    deaths: int
    """All deaths while it ran."""
    inputs: str
    """What both were counted for; other inputs begin at 0, and so does work that came closer to its end."""
    left: int = 0
    """The fewest tasks that a run began with before its process died; 0 while that is not known."""

    @property
    def rank(self) -> tuple[int, int]:
        """The order of turns: the least suspect first, so that an innocent Plan soon clears itself."""
        return self.crashes, self.deaths

    def refused(self, inputs: str) -> bool:
        return self.crashes >= CRASHES and self.inputs == inputs


def after(crash: Crash, known: Mapping[str, Suspicion]) -> dict[str, Suspicion]:
    """Return which Plans are suspected, and how much, after one more death.

    A Plan that has fewer tasks left than ever before comes to its end however often its process dies: both
    counts start again.
    """
    suspects, sole = dict(known), crash.sole
    for call in {call.uid: call for call in crash.calls}.values():
        before = suspects.pop(call.uid, None)
        if before is None or before.inputs != call.inputs:
            before = Suspicion(0, 0, call.inputs)
        least = min(filter(None, (call.left, before.left)), default=0)
        if least < before.left:
            before = Suspicion(0, 0, call.inputs)
        crashes, deaths = min(before.crashes + (call.uid == sole), _LARGEST), min(before.deaths + 1, _LARGEST)
        suspects[call.uid] = Suspicion(crashes, deaths, call.inputs, least)
    return suspects


def turn_seconds(suspicion: Suspicion) -> float:
    """Return for how long no other suspect begins.

    It doubles with each death, so a plan that crashes late is alone in the end, and long innocent ones wait little.
    """
    return min(_TURN * 2.0 ** min(max(suspicion.deaths - 1, 0), 10), _LONGEST_TURN)


def encode(suspects: Mapping[str, Suspicion]) -> str:
    """Return the text of at most 200 suspects: the most suspect first, of equals the newest; empty for none."""
    newest = reversed(tuple(suspects.items()))
    kept = sorted(newest, key=lambda item: item[1].rank, reverse=True)[:_MOST]
    return json.dumps(dict(kept), separators=(",", ":")) if kept else ""


def decode(text: str) -> dict[str, Suspicion]:
    """Return what `encode` wrote. Anybody may have edited it: what cannot be read is left out."""
    if len(text) > _TEXT_BYTES:
        return {}
    try:
        found: object = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    entries = ((uid, _suspicion(value)) for uid, value in found.items() if 0 < len(uid) <= _FIELD)
    return {uid: suspicion for uid, suspicion in tuple(entries)[:_MOST] if suspicion is not None}


def _suspicion(value: object) -> Suspicion | None:
    match value:
        case [int() as crashes, int() as deaths, str() as inputs, *rest] if len(inputs) <= _FIELD:
            left = rest[0] if rest and isinstance(rest[0], int) and 0 <= rest[0] <= _MOST_TASKS else 0
            return Suspicion(crashes, deaths, inputs, int(left)) if _are_counts((crashes, deaths)) else None
        case _:
            return None


def _are_counts(values: Iterable[object]) -> bool:
    return all(not isinstance(value, bool) and 0 <= cast("int", value) <= _LARGEST for value in values)
