"""What a page shows of an execution: frozen values, which views draw."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Failure", "Line", "Picture", "Pictured"]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of a task, or of `create()`."""

    run: int
    task: str
    phase: str
    error: str
    at: str


@dataclass(frozen=True, slots=True)
class Line:
    """A task in the tree of its run."""

    depth: int
    name: str
    state: str
    note: str
    seconds: float | None
    """How long it took; None while it is under way."""
    began: str
    """Empty when it is over."""


@dataclass(frozen=True, slots=True)
class Pictured:
    """A run, as it looks now."""

    number: int
    began: str
    seconds: float | None
    """How long it took; None while it is under way."""
    tasks: int
    """Those that are over."""
    errors: int
    waits: tuple[str, ...]
    """What it waits for, beside the tasks that wait."""
    rows: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """All that a record says."""

    began: str
    ended: str
    """Empty while it is under way."""
    result: str
    why: str
    """What ended it; both are empty while it is under way."""
    seconds: float
    again: str
    """When the next run is due; empty elsewhere."""
    runs: tuple[Pictured, ...]
    """The last ones."""
    count: int
    """Of runs in all."""
    tasks: int
    errors: int
    errors_left: int | None
    failures: tuple[Failure, ...]
    """The last ones, newest first."""

    @property
    def waits(self) -> tuple[str, ...]:
        """What the last run waits for."""
        if not self.runs:
            return ()
        return (*self.runs[-1].waits, *(row.note for row in self.runs[-1].rows if row.state == "waiting"))

    @property
    def error(self) -> str:
        """The last error of the last run; empty when that had none."""
        return self.failures[0].error if self.runs and self.runs[-1].errors and self.failures else ""
