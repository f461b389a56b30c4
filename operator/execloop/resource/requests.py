"""What a person asks of a Plan, as merge patches: the command and the page send the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from execloop.resource.annotations import (
    APPROVE,
    APPROVED_BY,
    REQUEST_BY,
    REQUEST_REASON,
    REQUESTED_AT,
    SUSPEND,
    now,
)

__all__ = ["AFTER_ERRORS", "approve", "of_step", "reconcile", "resume", "suspend"]

AFTER_ERRORS: Final = frozenset({"Retrying", "Stalled", "Running", "Waiting"})
"""States of Plans that have something to try again."""


def reconcile() -> dict[str, Any]:
    """Return the patch that asks for a new execution, with a new budget; a retry asks for the same."""
    return _annotated({REQUESTED_AT: now()})


def approve(digest: str, by: str | None) -> dict[str, Any]:
    """Return the patch that approves the pending tasks of this digest."""
    return _annotated({APPROVE: digest, **({APPROVED_BY: by} if by else {})})


def of_step(kind: str, step: str, execution: str, reason: str | None, by: str | None) -> dict[str, Any]:
    """Return the patch that asks an execution for something of one step; what an earlier request said goes."""
    return _annotated({kind: f"{step}@{execution}", REQUEST_REASON: reason, REQUEST_BY: by})


def suspend(until: datetime | None, reason: str | None, by: str | None) -> dict[str, Any]:
    """Return the patch that suspends a Plan; what an earlier suspension said goes."""
    end = None if until is None else until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"spec": {"suspend": True}, **_annotated(dict(zip(SUSPEND, (end, reason, by), strict=True)))}


def resume() -> dict[str, Any]:
    """Return the patch that lets a suspended Plan continue."""
    return {"spec": {"suspend": False}, **_annotated(dict.fromkeys(SUSPEND))}


def _annotated(annotations: dict[str, str | None]) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations}}
