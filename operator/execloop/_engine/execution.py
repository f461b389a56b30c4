"""The state of an execution, frozen, and the ways in which a run of it can end.

`run` returns one of these for each run; `executor` and the operator decide what follows from it.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from execloop._engine.tasks import task_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop._engine.tasks import Task

__all__ = ["Again", "Converged", "CreateFailed", "Execution", "Failed", "Interrupted", "Outcome"]


@dataclass(frozen=True, slots=True)
class Execution:
    """The runs from the first `create()` to convergence, failure or timeout.

    It holds all that a later run needs: keep it anywhere (`to_dict`, `from_dict`) and continue in another process.

    >>> Execution.from_dict(Execution(id="x", errors=2).to_dict()).errors
    2
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
    waiting_runs: int = 0
    """Consecutive runs without errors in which everything waited: the pause after them doubles."""

    def deadline(self, timeout: float) -> float:
        """Return when it times out, in seconds since the epoch. Raises ValueError before the first run."""
        if self.started_at is None:
            raise ValueError("an execution that has not started has no deadline")
        return self.started_at + self.paused + timeout

    def after_run(self, errors: int, last_error: str | None = None, *, waited: bool = False) -> Execution:
        """Return the state after one more run.

        Args:
            errors: How many it had.
            last_error: The last of them, in words.
            waited: Whether everything in it waited.

        """
        if not errors:
            waiting_runs = self.waiting_runs + 1 if waited else 0
            return replace(self, runs=self.runs + 1, failed_runs=0, waiting_runs=waiting_runs)
        return replace(
            self,
            runs=self.runs + 1,
            errors=self.errors + errors,
            failed_runs=self.failed_runs + 1,
            waiting_runs=0,
            last_error=last_error,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Execution:
        """Return the execution whose state `to_dict` returned. Raises TypeError for a key that is none of its own."""
        return cls(**state)


@dataclass(frozen=True, slots=True)
class Converged:
    """`create()` returned no task, and no wait."""

    execution: Execution


@dataclass(frozen=True, slots=True)
class Again:
    """Ask again after `delay` seconds. `failed` is how many errors the run had."""

    execution: Execution
    delay: float
    failed: int = 0
    waiting: tuple[str, ...] = ()
    """What the plan and its tasks wait for: different messages, at most the last 1,000."""
    worked: tuple[Task, ...] = field(default=(), repr=False, compare=False)
    """What `create()` asked for and what ended without `Wait`, all that followed from it included."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of `worked`: a plan that asks for the same ones run after run does not converge."""
        return tuple(map(task_name, self.worked))


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A stop request was honoured at a task boundary; the execution can continue later."""

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
