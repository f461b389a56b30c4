"""What an execution on this machine does: a listener of the engine, which the page's thread reads."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from execloop._engine.errors import summary
from execloop._engine.events import (
    ConvergedEvent,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskStarted,
    TaskWaiting,
)
from execloop.page.runs.steps import Steps
from execloop.page.runs.words import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.events import Event, TaskPath
    from execloop.controller.status.explain import Explanation
    from execloop.page.runs.steps import Row

__all__ = ["Failure", "Picture", "Pictured", "Record"]

_MOST_RUNS: Final = 40
_MOST_TREES: Final = 5
"""Of the last runs the page shows the tasks."""
_MOST_ERRORS: Final = 50
_MOST_WAITS: Final = 20
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of a task."""

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
    """All that the page shows."""

    state: str
    """The operator's word for it."""
    explanation: Explanation
    began: str
    ended: str
    """Empty while it is under way."""
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


@dataclass(slots=True, eq=False)
class _Run:
    number: int
    began: float
    steps: Steps
    waits: deque[str]
    seconds: float | None = None
    errors: int = 0


class Record:
    """Called with each event, from any thread; `picture` may be called from another one at the same time.

    `monotonic` has seconds; `now` is asked once.
    """

    def __init__(self, name: str, monotonic: Callable[[], float], now: Callable[[], datetime]) -> None:
        self.name = name
        self.version = 0
        self.changed: Callable[[], None] = lambda: None
        """Called after each event, in the thread of the event."""
        self._monotonic, self._began, self._epoch = monotonic, monotonic(), now().timestamp()
        self._lock = threading.Lock()
        self._runs: deque[_Run] = deque(maxlen=_MOST_RUNS)
        self._failures: deque[Failure] = deque(maxlen=_MOST_ERRORS)
        self._errors_left: int | None = None
        self._count = self._errors = self._tasks = 0
        self._again: float | None = None
        self._end: tuple[float, str, str] | None = None

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._take(event, self._monotonic())
            self.version += 1
        self.changed()

    def end(self, result: str, why: str) -> None:
        """The execution is over. `result`: as the command's report has it; `why`: what ended it, empty for none."""
        with self._lock:
            now = self._monotonic()
            self._end, self._again = (now, result, why[:_LONGEST]), None
            if self._runs and self._runs[-1].seconds is None:
                self._runs[-1].seconds = now - self._runs[-1].began
            self.version += 1
        self.changed()

    @property
    def ended(self) -> bool:
        return self._end is not None

    def _take(self, event: Event, now: float) -> None:
        match event:
            case RunStarted(execution, names, errors_left):
                self._count, self._errors_left, self._again = execution.runs + 1, errors_left, None
                self._runs.append(_Run(self._count, now, Steps(len(names)), deque(maxlen=_MOST_WAITS)))
            case TaskStarted(path):
                self._runs[-1].steps.start(path, now)
            case TaskFinished(path, children):
                self._runs[-1].steps.finish(path, children, now)
                self._tasks += 1
            case TaskFailed(path, phase, error, errors_left):
                self._errors_left = errors_left
                self._fail(path, phase, error, now)
            case TaskWaiting(path, message):
                if path is not None and self._runs[-1].steps.wait(path, message[:_LONGEST], now):
                    self._tasks += 1
                else:
                    self._runs[-1].waits.append(message[:_LONGEST])
            case ConvergedEvent(execution):
                self._count = execution.runs
            case RunFinished(_, delay):
                self._runs[-1].seconds, self._again = now - self._runs[-1].began, now + delay

    def _fail(self, path: TaskPath, phase: str, error: Exception, now: float) -> None:
        run, text = self._runs[-1], summary(error)[:_LONGEST]
        run.errors += 1
        run.steps.fail(path, text if phase == "perform" else f"{phase}: {text}", now)
        self._errors, self._tasks = self._errors + 1, self._tasks + 1
        self._failures.appendleft(Failure(run.number, str(path)[:_LONGEST], phase, text, self._text(now)))

    def picture(self) -> Picture:
        """Return what there is to see now."""
        with self._lock:
            now, end = self._monotonic(), self._end
            until = end[0] if end else now
            last = self._runs[-1] if self._runs else None
            error = self._failures[0].error if last and last.errors else ""
            ended = (end[1], end[2]) if end else None
            state, told = explain(self.name, ended, asleep=self._again is not None, error=error, waits=_waits(last))
            first = len(self._runs) - _MOST_TREES
            return Picture(
                state,
                told,
                self._text(self._began),
                self._text(end[0]) if end else "",
                until - self._began,
                "" if self._again is None else self._text(self._again),
                tuple(self._pictured(run, tree=place >= first) for place, run in enumerate(self._runs)),
                self._count,
                self._tasks,
                self._errors,
                self._errors_left,
                tuple(self._failures),
            )

    def _pictured(self, run: _Run, *, tree: bool) -> Pictured:
        rows = tuple(self._line(row) for row in run.steps.rows()) if tree else ()
        began = self._text(run.began)
        return Pictured(run.number, began, run.seconds, run.steps.over, run.errors, tuple(run.waits), rows)

    def _line(self, row: Row) -> Line:
        began = self._text(row.began) if row.state == "running" else ""
        return Line(row.depth, row.name, row.state, row.note, row.seconds, began)

    def _text(self, moment: float) -> str:
        return datetime.fromtimestamp(self._epoch + moment - self._began, UTC).isoformat(timespec="milliseconds")


def _waits(run: _Run | None) -> tuple[str, ...]:
    if run is None:
        return ()
    return (*run.waits, *(row.note for row in run.steps.rows() if row.state == "waiting"))
