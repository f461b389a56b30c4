"""Executions as pictures: how far the one at hand is, and how long those before took. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from execloop.controller.api.duration import parse_duration
from execloop.resource.fields import ended_executions, status
from execloop.resource.times import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from execloop.resource.fields import Plan

__all__ = ["Comparison", "Ended", "History", "UnderWay", "history", "under_way"]

_MOST_RUNS: Final = 40
_COMPARED: Final = (
    ("id", "execution"),
    ("result", "result"),
    ("generation", "generation"),
    ("startedAt", "began"),
    ("finishedAt", "ended"),
    ("runs", "runs"),
    ("errors", "errors"),
    ("approvedBy", "approved by"),
    ("message", "message"),
)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The execution of a Plan, the one at hand or the last one."""

    fields: Mapping[str, Any]
    runs: int
    hidden: int
    """Runs at its beginning that are not drawn."""
    failed: int
    """Runs at its end, of those drawn, that had errors."""
    errors: int
    budget: int | None
    """Errors that it tolerates; None for any number."""
    seconds: float
    """How long it has taken, without pauses, until `finishedAt` or the time of its last write."""
    limit: float
    """Its deadline in seconds; 0 for none."""


def under_way(plan: Plan) -> UnderWay | None:
    """Return the execution of a Plan, None before its first."""
    fields = status(plan).get("execution")
    if not isinstance(fields, dict):
        return None
    spec = plan.get("spec") or {}
    runs, drawn = int(fields.get("runs", 0)), min(int(fields.get("runs", 0)), _MOST_RUNS)
    tolerated = spec.get("errorsToTolerate", 5)
    started, finished = moment(fields.get("startedAt")), moment(fields.get("finishedAt"))
    took = (finished - started).total_seconds() - float(fields.get("paused", 0)) if started and finished else 0.0
    return UnderWay(
        fields,
        drawn,
        runs - drawn,
        min(drawn, int(fields.get("failedRuns", 0))),
        int(fields.get("errors", 0)),
        None if tolerated == -1 else tolerated,
        max(0.0, took),
        _seconds(spec.get("executionTimeout", "20m")),
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """An execution that ended."""

    fields: Mapping[str, Any]
    seconds: float
    share: float
    """Of the longest one, 0 to 100."""


@dataclass(frozen=True, slots=True)
class Comparison:
    left: Mapping[str, Any]
    right: Mapping[str, Any]
    rows: Sequence[tuple[str, str, object, object, bool]]
    """The field, its name for people, both values, and whether they differ."""


@dataclass(frozen=True, slots=True)
class History:
    executions: Sequence[Ended]
    comparison: Comparison | None


def history(plan: Plan, left: str, right: str) -> History:
    """Return the executions that ended, newest first, and the comparison of two of them by id."""
    entries = ended_executions(plan)
    took = [_took(one) for one in entries]
    longest = max(took, default=0.0)
    ended = [
        Ended(one, seconds, 100 * seconds / longest if longest else 0.0)
        for one, seconds in zip(entries, took, strict=True)
    ]
    by_id = {str(one.get("id")): one for one in entries}
    both = (by_id.get(left), by_id.get(right))
    comparison = None if both[0] is None or both[1] is None else _compare(both[0], both[1])
    return History(ended, comparison)


def _compare(left: Mapping[str, Any], right: Mapping[str, Any]) -> Comparison:
    rows: list[tuple[str, str, object, object, bool]] = [
        (field, name, left.get(field), right.get(field), left.get(field) != right.get(field))
        for field, name in _COMPARED
    ]
    rows.insert(5, ("took", "took", _took(left), _took(right), _took(left) != _took(right)))
    return Comparison(left, right, rows)


def _took(entry: Mapping[str, Any]) -> float:
    started, finished = moment(entry.get("startedAt")), moment(entry.get("finishedAt"))
    return max(0.0, (finished - started).total_seconds()) if started and finished else 0.0


def _seconds(text: object) -> float:
    try:
        return parse_duration(str(text))
    except ValueError:
        return 0.0
