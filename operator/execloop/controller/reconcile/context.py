"""One Plan at one reconcile: what it is to do, with which inputs, and how what it says is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from execloop.controller.reconcile.executions import LAST_ERROR_BYTES, at
from execloop.controller.status.conditions import State, advance, cut, while_tearing_down

if TYPE_CHECKING:
    from collections.abc import Iterable

    from execloop._engine.options import Options
    from execloop._engine.tasks import AnyTask
    from execloop.controller.api.v1alpha1 import PlanSpec, PlanStatus
    from execloop.controller.plancode.redaction import Redactor
    from execloop.controller.reconcile.validation import Validated
    from execloop.controller.watch.cache import Key, PlanState

__all__ = ["TEARDOWN", "ReconcileContext", "Resolved"]

TEARDOWN = "teardown"
"""The fingerprint of the execution that undoes."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Parameters, once all their sources were read."""

    parameters: Any
    inputs: str
    redactor: Redactor


@dataclass(frozen=True, slots=True)
class ReconcileContext:
    key: Key
    track: PlanState
    validated: Validated
    resolved: Resolved
    teardown: bool = False
    """Whether it is being deleted, so that its teardown() is driven."""

    @property
    def spec(self) -> PlanSpec:
        return self.validated.spec

    @property
    def options(self) -> Options:
        return self.validated.options

    @property
    def inputs(self) -> str:
        return TEARDOWN if self.teardown else self.resolved.inputs

    def names(self, tasks: Iterable[AnyTask]) -> tuple[str, ...]:
        return tuple(self.resolved.redactor.text(str(task.name)) for task in tasks)

    def told(self, error: BaseException) -> str:
        return cut(self.resolved.redactor.error(error), LAST_ERROR_BYTES)

    def advance(self, state: State, now: float) -> PlanStatus:
        """The status with the conditions of a state."""
        state = while_tearing_down(state) if self.teardown else state
        return advance(self.track.draft, state, self.track.generation, at(now))
