"""Whether a plan asks for the same work again and again, without an error and without getting on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from execloop.controller.api.v1alpha1 import SameWork

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from execloop._plans.definition import Definition

__all__ = ["is_stuck", "repeated"]


def repeated(before: SameWork | None, names: Sequence[str], now: datetime) -> SameWork:
    """After a run without errors that asked for these tasks."""
    tasks = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if before is None or before.tasks != tasks:
        return SameWork(runs=1, since=now, tasks=tasks)
    return SameWork(runs=before.runs + 1, since=before.since, tasks=tasks)


def is_stuck(work: SameWork, definition: Definition, now: datetime) -> bool:
    """Both limits are the plan's own: one that waits for something is not stuck after seconds. None: never."""
    runs, seconds = definition.same_work_runs, definition.same_work_seconds
    if runs is None or seconds is None:
        return False
    return work.runs >= runs and (now - work.since).total_seconds() >= seconds
