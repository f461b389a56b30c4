"""The state of an execution, frozen, and the ways in which a run of it ends."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Again", "Converged", "CreateFailed", "Execution", "Failed", "Interrupted", "Outcome"]


@dataclass(frozen=True, slots=True)
class Execution:
    """The runs from the first `create()` to convergence, failure or timeout.

    It holds all that a later run needs: keep it anywhere (`to_dict`, `from_dict`) and go on in another process.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    started_at: float | None = None
    """Seconds since the epoch; None before the first run."""
    runs: int = 0
    errors: int = 0
    failed_runs: int = 0
    """Consecutive runs with errors."""
    paused: float = 0.0
    """Seconds that do not count towards the deadline."""
    last_error: str | None = None

    def deadline(self, timeout: float) -> float:
        """When it times out, in seconds since the epoch."""
        if self.started_at is None:
            raise ValueError("an execution that has not started has no deadline")
        return self.started_at + self.paused + timeout

    def after_run(self, errors: int, last_error: str | None = None) -> Execution:
        """The state after one more run that had so many errors."""
        if not errors:
            return replace(self, runs=self.runs + 1, failed_runs=0)
        return replace(
            self,
            runs=self.runs + 1,
            errors=self.errors + errors,
            failed_runs=self.failed_runs + 1,
            last_error=last_error,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Execution:
        return cls(**state)


@dataclass(frozen=True, slots=True)
class Converged:
    """`create()` returned no task."""

    execution: Execution


@dataclass(frozen=True, slots=True)
class Again:
    """Ask again after `delay` seconds. `failed` is how many errors the run had."""

    execution: Execution
    delay: float
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A stop request was honoured at a task boundary; the execution can go on later."""

    execution: Execution


@dataclass(frozen=True, slots=True)
class CreateFailed:
    """`create()` raised. Whether that ends the execution is the caller's rule; the state does not count it."""

    execution: Execution
    error: Exception


@dataclass(frozen=True, slots=True)
class Failed:
    """The execution is over: its budget is spent, a task was fatal, or it reached its deadline."""

    execution: Execution
    error: Exception


Outcome: TypeAlias = Converged | Again | Interrupted | CreateFailed | Failed
