"""The operator's log of what becomes of Plans: a line for each transition. Pure.

The commit logs the line after each write.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, NamedTuple

from execloop.controller.status.conditions import cut

if TYPE_CHECKING:
    from execloop.controller.api.v1alpha1 import PlanStatus

__all__ = ["Line", "Shown", "line", "shown"]

_MOST = 400


class Line(NamedTuple):
    level: int
    reason: str
    text: str


class Shown(NamedTuple):
    """What of a status makes a transition. The operator keeps it for each Plan, so it is small."""

    state: str | None
    reason: str


def shown(status: PlanStatus) -> Shown:
    return Shown(status.state, sys.intern(_deciding(status)[0]))


def line(before: Shown, after: PlanStatus) -> Line | None:
    """Return the line for a new status, such as `Running -> Stalled: FatalError: no such host`; None without a change.

    A message alone is not a transition: it may change with each error.
    """
    reason, message = _deciding(after)
    if before == (after.state, reason) or after.state is None:
        return None
    level = logging.WARNING if after.state == "Stalled" else logging.INFO
    return Line(level, reason, cut(f"{before.state or 'new'} -> {after.state}: {reason}: {message}", _MOST))


def _deciding(status: PlanStatus) -> tuple[str, str]:
    """Return the reason and the message of the condition that says most."""
    for kind in ("Suspended", "Stalled"):
        if (found := status.condition(kind)) is not None:
            return found.reason, found.message
    ready = status.condition("Ready")
    return ("", "") if ready is None else (ready.reason, status.message)
