"""The annotations by which people ask an operator for something."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from execloop.resource.fields import Plan

__all__ = [
    "APPROVE",
    "APPROVED_BY",
    "PREVIEW",
    "REQUESTED_AT",
    "REQUEST_BY",
    "REQUEST_REASON",
    "RETRY",
    "SKIP",
    "SUSPEND",
    "annotation",
    "now",
]

APPROVE: Final = "execloop.dev/approve"
APPROVED_BY: Final = "execloop.dev/approved-by"
PREVIEW: Final = "execloop.dev/preview"
REQUESTED_AT: Final = "execloop.dev/requestedAt"
REQUEST_BY: Final = "execloop.dev/request-by"
REQUEST_REASON: Final = "execloop.dev/request-reason"
"""Who asks to retry or to skip a step, and why."""
RETRY: Final = "execloop.dev/retry"
SKIP: Final = "execloop.dev/skip"
SUSPEND: Final = ("execloop.dev/suspend-until", "execloop.dev/suspend-reason", "execloop.dev/suspend-by")
"""Until when, why, and who said so."""


def annotation(plan: Plan, name: str) -> str | None:
    """Return the value of an annotation, None when the Plan does not have it."""
    value = (plan["metadata"].get("annotations") or {}).get(name)
    return None if value is None else str(value)


def now() -> str:
    """Return a value that no request had before: the time, to the microsecond."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
