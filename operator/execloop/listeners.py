"""Listeners ready to use: one that logs, one that keeps what happened. And what an event says in words."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from execloop._engine.errors import summary
from execloop._engine.events import (
    ConvergedEvent,
    Event,
    GaveUp,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskPath,
    TaskStarted,
    TaskWaiting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LoggingListener", "Recorder", "in_words"]

E = TypeVar("E", RunStarted, TaskStarted, TaskFinished, TaskFailed, TaskWaiting, RunFinished, ConvergedEvent, GaveUp)

NAMES_SHOWN = 10
DEPTH_SHOWN = 20


def in_words(event: Event) -> str:
    """One line for people, unless an error's own message has more."""
    match event:
        case RunStarted(execution, tasks, errors_left):
            budget = "" if errors_left is None else f", {_count(errors_left, 'error')} left"
            named = f"{_count(len(tasks), 'task')} ({_listed(tasks)})" if tasks else "no task"
            words = f"run {execution.runs + 1}: {named}{budget}"
        case TaskStarted(path):
            words = f"{_place(path)} started"
        case TaskFinished(path, children):
            words = f"{_place(path)} done" + (f", followed by {_count(children, 'task')}" if children else "")
        case TaskFailed(path, phase, error, errors_left):
            budget = "" if errors_left is None or errors_left < 0 else f" ({_count(errors_left, 'error')} left)"
            words = f"{_place(path)} failed in {phase}: {summary(error)}{budget}"
        case TaskWaiting(path, message):
            words = f"waiting: {message}" if path is None else f"{_place(path)} waiting: {message}"
        case RunFinished(execution, delay):
            words = f"run {execution.runs} finished; asking again in {delay:g} s"
        case ConvergedEvent(execution):
            words = f"converged after {_count(execution.runs, 'run')}, {_count(execution.errors, 'error')}"
        case GaveUp(_, error):
            words = f"gave up: {summary(error)}"
    return words


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(names: Iterable[str]) -> str:
    names = tuple(names)
    return ", ".join(names[:NAMES_SHOWN]) + (
        f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    )


def _place(path: TaskPath) -> str:
    """The names from the root on, or the last of them: an event from depth 10,000 must not cost as much."""
    names: list[str] = []
    step: TaskPath | None = path
    while step is not None and len(names) < DEPTH_SHOWN:
        names.append(step.name)
        step = step.parent
    return ("…/" if step is not None else "") + "/".join(reversed(names))


_LEVELS = {
    RunStarted: logging.INFO,
    TaskStarted: logging.DEBUG,
    TaskFinished: logging.DEBUG,
    TaskFailed: logging.WARNING,
    TaskWaiting: logging.INFO,
    RunFinished: logging.DEBUG,
    ConvergedEvent: logging.INFO,
    GaveUp: logging.ERROR,
}


class LoggingListener:
    """Logs runs and convergence as INFO, tasks as DEBUG, tolerated errors as WARNING, giving up as ERROR.

    Pass a `logging.LoggerAdapter` to add what your own log records carry.
    """

    def __init__(self, logger: logging.Logger | logging.LoggerAdapter[logging.Logger] | None = None) -> None:
        self._logger = logger or logging.getLogger("execloop")

    def __call__(self, event: Event) -> None:
        """Log an event."""
        level = _LEVELS[type(event)]
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", in_words(event))


class Recorder:
    """Keeps every event, in order: for tests and short executions, as it grows without end."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def __str__(self) -> str:
        return "\n".join(map(in_words, self.events))
