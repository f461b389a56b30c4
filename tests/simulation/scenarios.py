"""The courses that every Plan takes: what people do in them, and when. Nothing is left to chance."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.simulation.feed import FeedFaults
from tests.simulation.life import Script
from tests.simulation.network import Faults
from tests.simulation.people import Deed

if TYPE_CHECKING:
    from tests.simulation.network import Request

__all__ = ["SCENARIOS", "WHENS", "CrashAt", "scenario"]

WHENS = ("crash before it is sent", "crash between send and answer", "crash after the answer")

_WORK = {"plan": "works", "parameters": {"value": 7, "things": 2}}
_AT_ONCE = {"approval": "Manual", "sleepBetweenRuns": "0s"}
_BACKOFF = {"initial": "1s", "max": "4s"}
_LONG = {"plan": "works", "parameters": {"value": 7, "things": 6}}
_SOURCE = [{"kind": "Secret", "name": "source"}]

_DEEDS: dict[str, tuple[tuple[float, str, dict[str, Any]], ...]] = {
    "quick": ((0, "apply", {"spec": _WORK}),),
    "async": ((0, "apply", {"spec": {**_WORK, "plan": "works-async", "parallelism": 2}}),),
    "errors": (
        (0, "break", {"thing": "thing-1"}),
        (0, "apply", {"spec": {**_WORK, "errorBackoff": _BACKOFF}}),
        (6, "mend", {}),
    ),
    "given up": (
        (0, "break", {"thing": "thing-1"}),
        (0, "apply", {"spec": {**_WORK, "errorBackoff": _BACKOFF, "errorsToTolerate": 1}}),
    ),
    "deadline": (
        (0, "break", {"thing": "thing-1"}),
        (0, "apply", {"spec": {**_WORK, "errorBackoff": _BACKOFF, "errorsToTolerate": -1, "executionTimeout": "10s"}}),
    ),
    "approval": (
        (0, "apply", {"spec": {**_WORK, "approval": "Manual"}}),
        (3, "approve", {}),
    ),
    "approval of each run": (
        (0, "apply", {"spec": {**_WORK, "parameters": {"value": 7, "things": 4, "layers": 2}, **_AT_ONCE}}),
        (3, "approve", {}),
        (6, "approve", {}),
    ),
    "approval of a task": (
        (0, "apply", {"spec": {**_WORK, "parameters": {"value": 7, "things": 2, "guarded": 1}}}),
        (3, "approve", {}),
    ),
    "teardown": (
        (0, "apply", {"spec": {**_WORK, "deletionPolicy": "Teardown"}}),
        (3, "delete", {"dice": 0.9}),
    ),
    "drift": (
        (0, "apply", {"spec": {**_WORK, "interval": "10s"}}),
        (3, "drift", {}),
    ),
    "suspension": (
        (0, "slow down", {"dice": 3.0, "thing": "all"}),
        (0, "apply", {"spec": _WORK}),
        (1, "suspend", {}),
        (8, "resume", {}),
    ),
    "source": (
        (0, "change a source", {}),
        (0, "apply", {"spec": {**_WORK, "parametersFrom": _SOURCE}}),
        (4, "change a source", {}),
    ),
    "edit": (
        (0, "slow down", {"dice": 3.0, "thing": "all"}),
        (0, "apply", {"spec": _WORK}),
        (1, "edit", {}),
    ),
    "edit on the way": (
        (0, "tune on the way", {}),
        (0, "apply", {"spec": {**_WORK, "mode": "Once"}}),
    ),
    "time to live": ((0, "apply", {"spec": {**_WORK, "mode": "Once", "ttlAfterFinished": "10s"}}),),
    "re-creation": (
        (0, "apply", {"spec": {**_WORK, "deletionPolicy": "Teardown"}}),
        (3, "delete", {"dice": 0.9}),
        (8, "apply", {"spec": {**_WORK, "parameters": {"value": 8}}}),
    ),
    "deadline in a pause": (
        (0, "break", {"thing": "thing-1"}),
        (0, "apply", {"spec": {**_WORK, "errorBackoff": {"initial": "5m", "max": "5m"}, "executionTimeout": "10s"}}),
    ),
    "left at its deadline": (
        (0, "slow down", {"dice": 60.0, "thing": "all"}),
        (0, "apply", {"spec": {**_WORK, "executionTimeout": "25s"}}),
        (30, "request", {}),
    ),
    "status edited": (
        (0, "apply", {"spec": {**_WORK, "mode": "Once"}}),
        (5, "edit the status", {}),
    ),
    "re-creation at once": (
        (0, "apply", {"spec": _WORK}),
        (3, "delete", {"dice": 0.0, "spec": {**_WORK, "parameters": {"value": 8, "things": 2}}}),
    ),
    "deletion in a gap": (
        (0, "apply", {"spec": {**_WORK, "interval": "10s"}}),
        (5, "outage", {"dice": 0.2}),
        (6, "delete", {"dice": 0.9}),
        (7, "compact", {}),
        (30, "drift", {}),
    ),
    "errors in an outage": (
        (0, "slow down", {"dice": 1.0, "thing": "all"}),
        (0, "break", {"thing": "thing-1"}),
        (0, "apply", {"spec": {**_WORK, "errorBackoff": {"initial": "30s", "max": "30s"}}}),
        (0.5, "outage", {"dice": 0.2}),
    ),
    "machine suspended": (
        (0, "slow down", {"dice": 3.0, "thing": "all"}),
        (0, "apply", {"spec": _LONG}),
        (5, "freeze", {"dice": 0.5}),
    ),
    "clock forward": (
        (0, "slow down", {"dice": 3.0, "thing": "all"}),
        (0, "apply", {"spec": _WORK}),
        (2, "jump", {"dice": 0.0}),
    ),
    "clock back": (
        (0, "break", {"thing": "thing-1"}),
        (0, "apply", {"spec": {**_WORK, "errorBackoff": _BACKOFF, "errorsToTolerate": -1, "executionTimeout": "10s"}}),
        (3, "jump", {"dice": 0.9}),
    ),
    "a replica joins": (
        (25, "slow down", {"dice": 4.0, "thing": "all"}),
        (25, "slow down", {"name": "b", "dice": 4.0, "thing": "all"}),
        (25, "slow down", {"name": "c", "dice": 4.0, "thing": "all"}),
        (25, "apply", {"spec": _LONG}),
        (25, "apply", {"name": "b", "spec": _LONG}),
        (25, "apply", {"name": "c", "spec": {**_LONG, "plan": "works-async"}}),
    ),
}

_SETTINGS: dict[str, dict[str, Any]] = {
    "deadline in a pause": {"quiet": 600.0},
    "left at its deadline": {"lasts": 80.0},
    "deletion in a gap": {"lasts": 60.0, "lease_seconds": 60},
    "errors in an outage": {"lasts": 60.0, "lease_seconds": 30},
    "machine suspended": {"replicas": 2, "lasts": 60.0},
    "re-creation at once": {"feed": FeedFaults(late=1.0)},
    "a replica joins": {"replicas": 2, "shards": (2,), "joins": 26.0, "lasts": 60.0},
}
"""What is unlike the other courses: a script's fields."""

SCENARIOS = tuple(_DEEDS)


class CrashAt(Faults):
    """At one request, the process that sends it."""

    latest = 0.01

    def __init__(self, number: int = -1, when: str = "") -> None:
        self._number, self._when = number, when
        self.seen = 0

    def of(self, request: Request) -> str | None:
        if request.place.plural == "leases":
            return None  # what stands by sends these all the time
        self.seen += 1
        return self._when if self.seen == self._number else None


def scenario(name: str, faults: Faults | None = None, **others: Any) -> Script:
    numbers = count()
    deeds = tuple(Deed(next(numbers), at, what, **{"name": "a", **more}) for at, what, more in _DEEDS[name])
    script = Script(seed=1, lasts=20.0, deeds=deeds, faults=faults or CrashAt(), replicas=1, quiet=90.0)
    return replace(script, **_SETTINGS.get(name, {}), **others)
