"""What happens in an execution, as frozen records for listeners, and the report that adds them up.

`run` and `walk` make the events; `executor` keeps a `Ledger` and returns its `Report`.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from execloop._engine.errors import summary
from execloop._engine.tasks import task_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from execloop._engine.execution import Execution
    from execloop._engine.tasks import Task

__all__ = [
    "ConvergedEvent",
    "ErrorRecord",
    "Event",
    "GaveUp",
    "Ledger",
    "Listener",
    "Phase",
    "Report",
    "RunFinished",
    "RunStarted",
    "TaskFailed",
    "TaskFinished",
    "TaskPath",
    "TaskStarted",
    "TaskWaiting",
    "WaitRecord",
    "notifier",
]

Phase: TypeAlias = Literal["pre", "perform", "post"]

logger = logging.getLogger("execloop")
logger.addHandler(logging.NullHandler())

ERRORS_KEPT = 1000
STEPS_SHOWN = 16


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TaskPath:
    """Where a task stands in the tree: its own place, and its parent's path.

    Linked rather than copied, so that an event from depth 10,000 costs no more than one from the root.
    """

    parent: TaskPath | None
    position: int
    task: Task

    @property
    def name(self) -> str:
        """The name of the task."""
        return task_name(self.task)

    @property
    def lineage(self) -> tuple[TaskPath, ...]:
        """From the root to this task."""
        found: list[TaskPath] = []
        step: TaskPath | None = self
        while step is not None:
            found.append(step)
            step = step.parent
        return tuple(reversed(found))

    @property
    def root(self) -> int:
        """The position of the first task of its lineage."""
        step = self
        while step.parent is not None:
            step = step.parent
        return step.position

    @property
    def positions(self) -> tuple[int, ...]:
        """Where each task of the lineage stands among its siblings, from 0."""
        return tuple(step.position for step in self.lineage)

    def __str__(self) -> str:
        steps = [f"{step.name}[{step.position}]" for step in self.lineage]
        if len(steps) > STEPS_SHOWN:
            half = STEPS_SHOWN // 2
            steps[half:-half] = [f"({len(steps) - STEPS_SHOWN} more)"]
        return "/".join(steps)

    def __repr__(self) -> str:
        return f"<TaskPath {self}>"


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """One error of an execution: the task, the phase in which it was raised, the exception."""

    path: TaskPath
    phase: Phase
    exception: Exception

    def __str__(self) -> str:
        return f"{self.path} {self.phase}: {summary(self.exception)}"


@dataclass(frozen=True, slots=True)
class WaitRecord:
    """One wait of an execution: the task that waits, or None when the plan does, and what for."""

    path: TaskPath | None
    message: str
    again_in: float | None = None
    """Seconds."""

    def __str__(self) -> str:
        return self.message if self.path is None else f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class RunStarted:
    """`create()` returned these tasks."""

    execution: Execution
    tasks: tuple[str, ...]
    errors_left: int | None
    """None when the budget is unlimited."""


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """A task is about to be attempted."""

    path: TaskPath


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A task ended well and returned so many children."""

    path: TaskPath
    children: int


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """A phase of a task raised; `errors_left` is what remains of the budget, None when it is unlimited."""

    path: TaskPath
    phase: Phase
    error: Exception
    errors_left: int | None


@dataclass(frozen=True, slots=True)
class TaskWaiting:
    """A task, or what follows from it, waits; or the plan itself does, and `path` is None.

    When the task raised `Wait`, this comes in place of `TaskFinished`; when a `Wait` was among its children, after it.
    """

    path: TaskPath | None
    message: str
    again_in: float | None
    """Seconds after which it wants to be asked again, if it said so."""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Tasks remain or may remain: the engine asks again after `delay` seconds."""

    execution: Execution
    delay: float


@dataclass(frozen=True, slots=True)
class ConvergedEvent:
    """`create()` returned no task: the execution is over."""

    execution: Execution


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The execution ended without having converged."""

    execution: Execution
    error: Exception


Event: TypeAlias = (
    RunStarted | TaskStarted | TaskFinished | TaskFailed | TaskWaiting | RunFinished | ConvergedEvent | GaveUp
)
Listener: TypeAlias = "Callable[[Event], object]"


def notifier(listeners: Iterable[Listener]) -> Callable[[Event], None] | None:
    """Return one call that notifies all listeners, or None when there are none. A listener that raises harms nothing.

    They are called where the work is done, one after another: one that takes long delays it.
    """
    accepted = "listeners must be an iterable of callables that take one event"
    try:
        audience = tuple(listeners)
    except TypeError:
        raise TypeError(f"{accepted}, not {listeners!r}") from None
    for listener in audience:
        if not callable(listener):
            raise TypeError(f"{accepted}, but one of them is {listener!r}")
    if not audience:
        return None

    def notify(event: Event) -> None:
        for listener in audience:
            try:
                listener(event)
            except Exception:
                logger.exception("the listener %r failed on %s", listener, type(event).__name__)

    return notify


@dataclass(frozen=True, slots=True)
class Report:
    """What an execution did. `errors` and `waits` hold the last 1,000 of each, however long it ran."""

    runs: int
    tasks: int
    error_count: int
    errors: tuple[ErrorRecord, ...]
    duration: float
    """Seconds, on a clock that never jumps."""
    waits: tuple[WaitRecord, ...] = ()

    def __str__(self) -> str:
        return f"{self.runs} runs, {self.tasks} tasks, {self.error_count} errors in {self.duration:.1f} s"


@dataclass(slots=True)
class Ledger:
    """The running total behind a report; constant memory."""

    runs: int = 0
    tasks: int = 0
    error_count: int = 0
    errors: deque[ErrorRecord] = field(default_factory=lambda: deque(maxlen=ERRORS_KEPT))
    waits: deque[WaitRecord] = field(default_factory=lambda: deque(maxlen=ERRORS_KEPT))

    def report(self, duration: float) -> Report:
        return Report(self.runs, self.tasks, self.error_count, tuple(self.errors), duration, tuple(self.waits))
