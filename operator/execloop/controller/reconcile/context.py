"""What the phases of one reconcile work on: the snapshot, the validated spec, and the resolved parameters.

`Reconciler` and `Teardown` make a `ReconcileContext`; a phase takes one and returns another, or a decision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from execloop.controller.parameters.fingerprint import run_fingerprint
from execloop.controller.reconcile.execution.executions import LAST_ERROR_BYTES, at
from execloop.controller.status.conditions import State, advance, cut, while_tearing_down

if TYPE_CHECKING:
    from collections.abc import Iterable

    from execloop._engine.options import Options
    from execloop._engine.tasks import AnyTask
    from execloop.controller.api.v1alpha1 import ExecutionStatus, PlanSpec, PlanStatus
    from execloop.controller.parameters.merge import Version
    from execloop.controller.plancode.redaction.redactor import Redactor
    from execloop.controller.reconcile.inputs.validation import Validated
    from execloop.controller.watch.cache import Key, UnderWay
    from execloop.controller.watch.snapshot import Snapshot

__all__ = ["TEARDOWN", "ReconcileContext", "Resolved"]

TEARDOWN: Final = "teardown"
"""The fingerprint of the execution that undoes."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Parameters, once all their sources were read. The plan's own model has not seen them yet."""

    parameters: dict[str, Any] = field(repr=False)
    inputs: str
    redactor: Redactor
    versions: tuple[Version, ...] = ()
    secrets_digest: bytes = field(default=b"", repr=False)
    """Of all values that came from Secrets: a key for what must not be guessed."""
    absent: tuple[str, ...] = ()
    """Optional sources that do not exist."""
    closed: bool = False
    """Whether a Secret is among the sources: then no message repeats what its author chose."""


@dataclass(frozen=True, slots=True)
class ReconcileContext:
    work: UnderWay
    snapshot: Snapshot
    """That of the reconcile, its status as this reconcile has decided it so far."""
    validated: Validated
    resolved: Resolved
    teardown: bool = False
    """Whether the Plan is being deleted, so that its teardown() is driven."""

    @property
    def key(self) -> Key:
        return self.snapshot.key

    @property
    def spec(self) -> PlanSpec:
        return self.validated.spec

    @property
    def options(self) -> Options:
        return self.validated.options

    @property
    def inputs(self) -> str:
        return TEARDOWN if self.teardown else self.resolved.inputs

    @property
    def run_inputs(self) -> str:
        """Return the fingerprint that covers the plan's code and the request in every mode."""
        return run_fingerprint(self.inputs, self.validated.code_version, self.snapshot.requested_at)

    @property
    def execution(self) -> ExecutionStatus:
        execution = self.snapshot.execution
        assert execution is not None
        return execution

    @property
    def now(self) -> float:
        """Return the Plan's own time, in seconds since the epoch."""
        return self.work.state.now

    def names(self, tasks: Iterable[AnyTask]) -> tuple[str, ...]:
        """Return the names as they may be shown."""
        return tuple(self.resolved.redactor.text(str(task.name)) for task in tasks)

    def shown(self, error: BaseException) -> str:
        """Return an error as it may be shown."""
        return cut(self.resolved.redactor.error(error), LAST_ERROR_BYTES)

    def with_status(self, **update: Any) -> ReconcileContext:
        """Return the context after a decision about some fields of the status."""
        return self.after(self.snapshot.status.model_copy(update=update))

    def after(self, status: PlanStatus) -> ReconcileContext:
        """Return the context once a decision was taken in memory."""
        return ReconcileContext(self.work, self.snapshot.ahead(status), self.validated, self.resolved, self.teardown)

    def advance(self, state: State, now: float, **update: Any) -> PlanStatus:
        """Return the status with the conditions of a state, and with these fields."""
        state = while_tearing_down(state) if self.teardown else state
        status = advance(self.snapshot.status, state, self.snapshot.generation, at(now))
        return status.model_copy(update=update) if update else status
