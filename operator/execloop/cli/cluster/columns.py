"""The columns of a Plan in a table: what `kubectl get plans` shows, with the whole status at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.resource.fields import condition, state, status
from execloop.resource.times import age

if TYPE_CHECKING:
    from datetime import datetime

    from execloop.resource.fields import Plan

__all__ = ["header", "row"]

_NARROW = ("NAME", "READY", "STATE", "STATUS", "AGE")
_WIDE = ("PLAN", "PROGRESS", "ERRORS", "EXECUTION", "NEXT RUN", "LAST CONVERGED")
_LONGEST = 100


def header(*, wide: bool, everywhere: bool) -> tuple[str, ...]:
    """Return the names of the columns."""
    return (("NAMESPACE",) if everywhere else ()) + _NARROW + (_WIDE if wide else ())


def row(plan: Plan, *, wide: bool, everywhere: bool, now: datetime | None = None) -> tuple[str, ...]:
    """Return a Plan's cells. Without `wide` a long message is cut: `explain` shows it whole."""
    metadata, known, ready = plan["metadata"], status(plan), condition(plan, "Ready")
    message = str(ready.get("message", ""))
    narrow = (
        metadata["name"],
        str(ready.get("status", "-")),
        state(plan),
        message if wide or len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…",
        age(metadata.get("creationTimestamp"), now),
    )
    more = (
        str(plan.get("spec", {}).get("plan", "")),
        str(known.get("progress") or "-"),
        str(known.get("errors") or "-"),
        str((known.get("execution") or {}).get("id", "-")),
        age(known.get("nextRunAt"), now),
        age(known.get("lastConvergedAt"), now),
    )
    return ((metadata["namespace"],) if everywhere else ()) + narrow + (more if wide else ())
