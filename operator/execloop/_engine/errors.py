"""The errors that execloop raises.

    ExecloopError
    ├── FatalError              stops an execution whatever its budget; yours to raise
    │   └── ToleranceExceeded   one error more than `errors_to_tolerate`
    ├── ExecutionTimeout        also a TimeoutError
    └── PlanError
        ├── UnknownPlan         no registered plan has that name
        ├── AmbiguousPlan       two origins claim that name
        └── InvalidParameters   the plan's own model refused them

A task's own exception is never wrapped: it is counted, reported, and at most becomes the `__cause__` of one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from execloop._engine.events import Report

__all__ = [
    "AmbiguousPlan",
    "ExecloopError",
    "ExecutionTimeout",
    "FatalError",
    "InvalidParameters",
    "ParameterProblem",
    "PlanError",
    "ToleranceExceeded",
    "UnknownPlan",
    "countable",
    "find_fatal",
    "summary",
]


class ExecloopError(Exception):
    """The root. `report` says what was done until then, when the engine raised the error."""

    report: Report | None = None


class FatalError(ExecloopError):
    """Raise it from a task when no further attempt can help: the execution stops at once, whatever its budget.

    >>> run(ScriptedPlan({"mount": FatalError("the disk is gone")}))
    Traceback (most recent call last):
    execloop._engine.errors.FatalError: the disk is gone
    """


class ToleranceExceeded(FatalError):
    """The execution had more errors than it may have; the last one is the cause."""


class ExecutionTimeout(ExecloopError, TimeoutError):
    """The execution reached its deadline."""


class PlanError(ExecloopError):
    """A plan cannot be used as it was asked for."""


class UnknownPlan(PlanError, LookupError):
    """No plan of that name is registered; the message names the known ones and the modules that failed to import."""


class AmbiguousPlan(PlanError):
    """Two origins register one name, which disables both."""


class ParameterProblem(NamedTuple):
    """One thing that is wrong with a plan's parameters."""

    location: tuple[int | str, ...]
    """Keys and indexes, from the outermost on."""
    message: str
    rule: str = ""
    """The model's own word for the rule that is broken, such as `missing`."""

    def __str__(self) -> str:
        return f"{'.'.join(('parameters', *map(str, self.location)))}: {self.message}"


class InvalidParameters(PlanError, ValueError):
    """The parameters do not fit the plan's model. The message has field paths and rules, never values."""

    problems: tuple[ParameterProblem, ...] = ()

    @classmethod
    def of(cls, problems: Iterable[ParameterProblem]) -> Self:
        """Return the error that says these."""
        found = tuple(problems)
        error = cls("; ".join(map(str, found)))
        error.problems = found
        return error


def countable(error: BaseException) -> Exception:
    """Return an error that counts against the budget; raise what never does: Ctrl-C, a cancellation, an exit."""
    if isinstance(error, Exception):
        return error
    raise error


def find_fatal(error: BaseException) -> FatalError | None:
    """Return the first FatalError in an error, along `__cause__` and inside exception groups."""
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:
        current = pending.pop()
        if isinstance(current, FatalError):
            return current
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current.__cause__ is not None:
            pending.append(current.__cause__)
        if isinstance(current, BaseExceptionGroup):
            pending.extend(reversed(current.exceptions))
    return None


def summary(error: BaseException) -> str:
    """Return the error's type and message in one line of text, also where its own `__str__` fails."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a broken exception class must not stop the engine that reports it
        text = "(its message cannot be shown)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
