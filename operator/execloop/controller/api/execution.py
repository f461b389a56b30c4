"""The executions in a Plan's status: the one under way, or the last one, and those before it."""

from typing import Annotated

from pydantic import Field

from execloop.controller.api.model import Model
from execloop.controller.api.values import ZERO_LEFT_OUT, Count, Instant

__all__ = ["Approval", "ExecutionStatus", "HistoryEntry", "SameWork"]


class Approval(Model):
    """An approval of the pending tasks."""

    digest: str
    """Digest of the pending tasks that was approved."""
    by: str | None = None
    """Who approved, as the API server knew them."""
    code_version: str | None = None
    """Version of the plan's code that was approved to run."""
    tasks: str | None = None
    """Hashes of the names that were approved, 8 characters each: later runs of the execution may ask for no others.
    Left out when there were more than 2,000: the approval is then good for one run."""


class SameWork(Model):
    """Runs in a row that asked for the same tasks again."""

    runs: Count
    """How many runs in a row."""
    since: Instant
    """When the first of them ended."""
    tasks: str | None = None
    """Digest of the tasks that they asked for."""


class ExecutionStatus(Model):
    """The execution under way, or the last one: it continues from here after a restart of the operator."""

    id: str
    """Identity of the execution."""
    inputs: str
    """Fingerprint of the inputs that it works on; other inputs begin another execution."""
    runs: Count = 0
    """Runs that have begun."""
    errors: Count = 0
    """Errors so far, counted against errorsToTolerate."""
    failed_runs: Annotated[Count, ZERO_LEFT_OUT] = 0
    """Runs with errors in a row, which the backoff grows with. Left out when 0."""
    waiting_runs: Annotated[Count, ZERO_LEFT_OUT] = 0
    """Runs in a row in which everything waited, which the pause between them grows with. Left out when 0."""
    started_at: Instant
    """When it began."""
    paused: Annotated[float, Field(ge=0), ZERO_LEFT_OUT] = 0.0
    """Seconds spent suspended or waiting, which do not count against executionTimeout. Left out when 0."""
    paused_since: Instant | None = None
    """When the pause that still lasts began."""
    finished_at: Instant | None = None
    """When it ended."""
    result: str | None = None
    """How it ended, in one CamelCase word: Converged, or the reason why not."""
    generation: Count | None = None
    """Generation of the Plan that it worked on; set when it ends."""
    message: str | None = None
    """How it ended, in words for people, at most 256 bytes; set when it ends. Left out when empty."""
    request: str | None = None
    """What a person asked of it by annotation, such as `retry export`."""
    requested_by: str | None = None
    """Who asked that, by the annotation execloop.dev/request-by."""
    request_reason: str | None = None
    """Why, by the annotation execloop.dev/request-reason."""
    last_error: str | None = None
    """The last error, at most 1 KiB of it."""
    approval: Approval | None = None
    """The approval that covers this execution."""
    same_work: SameWork | None = None
    """Runs in a row that asked for the same tasks again; not of an execution that has ended."""


class HistoryEntry(Model):
    """An execution that ended before the one in status.execution."""

    id: str
    """Identity of the execution."""
    generation: Count
    """Generation of the Plan that it worked on."""
    started_at: Instant
    """When it began."""
    finished_at: Instant
    """When it ended."""
    runs: Count = 0
    """Its runs."""
    errors: Count = 0
    """Its errors."""
    result: str
    """How it ended: Converged, Superseded, or the reason why it stalled."""
    message: str = ""
    """How it ended, in words for people."""
    approved_by: str | None = None
    """Who approved it."""
    request: str | None = None
    """What a person asked of it by annotation, such as `retry export`."""
    requested_by: str | None = None
    """Who asked that, by the annotation execloop.dev/request-by."""
    request_reason: str | None = None
    """Why, by the annotation execloop.dev/request-reason."""
