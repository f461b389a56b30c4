"""The operator's log of what becomes of Plans: a line for each transition. Pure.

The commit logs the line after each write.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from execloop.controller.status.conditions import cut

if TYPE_CHECKING:
    from execloop.controller.api.v1alpha1 import PlanStatus

__all__ = ["Line", "line"]

_MOST = 400


class Line(NamedTuple):
    level: int
    reason: str
    text: str


def line(before: PlanStatus, after: PlanStatus) -> Line | None:
    """Return the line for a new status, such as `Running -> Stalled: FatalError: no such host`; None without a change.

    A message alone is not a transition: it may change with each error.
    """
    reason, message = _deciding(after)
    if (after.state, reason) == (before.state, _deciding(before)[0]) or after.state is None:
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
