"""Whether a Plan is suspended now: spec.suspend, and the date at which that ends. Pure.

`Reconciler` asks in each reconcile, before it runs anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from execloop.controller.api.v1alpha1 import Suspension
from execloop.controller.reconcile.execution.executions import at

if TYPE_CHECKING:
    from execloop.controller.watch.snapshot import Snapshot

__all__ = ["ANNOTATIONS", "Active", "Lifted", "Suspended", "suspension_of"]

ANNOTATIONS: Final = ("suspend-until", "suspend-reason", "suspend-by")
"""What says when a suspension ends, why it is there and who asked for it; without the prefix."""


@dataclass(frozen=True, slots=True)
class Active:
    """It is not suspended."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """Its suspension has ended."""

    record: Suspension
    now: bool
    """Whether it ends just now."""


@dataclass(frozen=True, slots=True)
class Suspended:
    message: str
    record: Suspension | None = None
    seconds: float | None = None
    """Until it ends; None when only the spec ends it."""
    spent: bool = False
    """Whether its date was over before the operator saw it."""


Standing: TypeAlias = Active | Lifted | Suspended


def suspension_of(  # noqa: PLR0911 - one return for each rule
    snapshot: Snapshot, now: float, *, suspend: bool
) -> Standing:
    """Return whether a Plan is suspended. A date that was over when it was first seen counts as none."""
    if not suspend:
        return Active()
    given, known = snapshot.annotations.get("suspend-until"), snapshot.status.suspension
    if given is None:
        return Suspended("spec.suspend is true")
    until = _instant(given)
    if until is None:
        hint = "write the time as RFC 3339 has it, such as 2026-01-02T15:04:05Z"
        return Suspended(f"spec.suspend is true; the annotation execloop.dev/suspend-until is not a time: {hint}")
    same = known is not None and known.until == until
    if same and known is not None and known.lifted is not None:
        return Lifted(known, now=False)
    left = until.timestamp() - now
    if left > 0:
        return Suspended(f"spec.suspend is true until {_shown(until)}", Suspension(until=until), left)
    if same:
        return Lifted(Suspension(until=until, lifted=at(now)), now=True)
    message = (
        f"spec.suspend is true; its end {_shown(until)} is in the past: set a later time, or set spec.suspend to false"
    )
    return Suspended(message, spent=True)


def _instant(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
