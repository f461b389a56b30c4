"""What an execution does, from the engine's events: a page draws it from another thread."""

from __future__ import annotations

import sys
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from execloop._engine.events import ConvergedEvent, RunFinished, RunStarted, TaskFailed
from execloop.page.runs.course import Course
from execloop.page.runs.picture import Failure, Line, Picture, Pictured
from execloop.page.runs.steps import KEPT
from execloop.page.runs.texts import AS_THEY_ARE

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.events import Event
    from execloop.page.runs.steps import Row
    from execloop.page.runs.texts import Texts

__all__ = ["HERE", "Bounds", "Record"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a record keeps of an execution."""

    runs: int = 40
    trees: int = 5
    """Of the last runs the tasks are kept."""
    tasks: int = KEPT
    """Of a run so many that ended well, and as many that failed or wait."""
    errors: int = 50


HERE: Final = Bounds()
"""Those of a run on this machine."""


class Record:
    """`name`: of the plan, or the id of the execution. `monotonic` has seconds; `now` is asked once.

    Any thread may call any method.
    """

    def __init__(
        self, name: str, monotonic: Callable[[], float], now: Callable[[], datetime], bounds: Bounds = HERE
    ) -> None:
        self.name = name
        self.version = 0
        self.changed: Callable[[], None] = lambda: None
        """Called after each event, in the thread of the event."""
        self._monotonic, self._began, self._epoch = monotonic, monotonic(), now().timestamp()
        self._bounds = bounds
        self._lock = threading.Lock()
        self._runs: deque[Course] = deque(maxlen=bounds.runs)
        self._failures: deque[Failure] = deque(maxlen=bounds.errors)
        self._errors_left: int | None = None
        self._count = self._errors = self._tasks = 0
        self._again: float | None = None
        self._end: tuple[float, str, str] | None = None

    def listener(self, texts: Texts = AS_THEY_ARE) -> Callable[[Event], None]:
        """Return what takes the events of runs, one run after another."""
        run: Course | None = None

        def listen(event: Event) -> None:
            nonlocal run
            with self._lock:
                now = self._monotonic()
                if isinstance(event, RunStarted):
                    run = self._begin(event, texts, now)
                elif isinstance(event, RunFinished | ConvergedEvent):
                    self._close(event, now)
                elif run is not None:
                    self._take(run, event, now)
                self.version += 1
            self.changed()

        return listen

    def failed(self, texts: Texts, phase: str, error: BaseException) -> None:
        """Take an error that belongs to no task."""
        with self._lock:
            self._errors += 1
            text = texts.error(error)
            self._failures.appendleft(Failure(self._count + 1, phase, phase, text, self._text(self._monotonic())))
            self.version += 1
        self.changed()

    def close(self) -> None:
        """Keep of the last run the text alone: it is over, whether the engine said so or not."""
        with self._lock:
            if self._runs:
                self._runs[-1].end(self._monotonic())
            self.version += 1
        self.changed()

    def shorten(self) -> None:
        """Keep the tasks of the last run alone: another execution has begun."""
        self.close()
        with self._lock:
            for run in [*self._runs][:-1]:
                run.forget_tasks()

    @property
    def size(self) -> int:
        """Return about how many bytes it keeps of runs that are over."""
        with self._lock:
            failures = sum(sys.getsizeof(text) for one in self._failures for text in (one.task, one.error, one.at))
            return failures + sum(run.size for run in self._runs)

    def end(self, result: str, why: str) -> None:
        """The execution is over. `result`: as the command's report has it; `why`: what ended it, empty for none."""
        with self._lock:
            now = self._monotonic()
            self._end, self._again = (now, result, AS_THEY_ARE.message(why)), None
            if self._runs:
                self._runs[-1].end(now)
            self.version += 1
        self.changed()

    @property
    def ended(self) -> bool:
        return self._end is not None

    def _begin(self, event: RunStarted, texts: Texts, now: float) -> Course:
        self._count, self._errors_left, self._again = event.execution.runs + 1, event.errors_left, None
        if self._runs:
            self._runs[-1].end(now)
        if len(self._runs) >= self._bounds.trees:
            self._runs[-self._bounds.trees].forget_tasks()
        run = Course(self._count, now, len(event.tasks), texts, self._bounds.tasks)
        self._runs.append(run)
        return run

    def _take(self, run: Course, event: Event, now: float) -> None:
        before = run.over
        failed = run.take(event, now)
        self._tasks += run.over - before
        if failed is not None and isinstance(event, TaskFailed):
            self._errors += 1
            self._errors_left = event.errors_left
            self._failures.appendleft(Failure(run.number, failed[0], event.phase, failed[1], self._text(now)))

    def _close(self, event: RunFinished | ConvergedEvent, now: float) -> None:
        if self._runs:
            self._runs[-1].end(now)
        if isinstance(event, RunFinished):
            self._again = now + event.delay
        else:
            self._count = event.execution.runs

    def picture(self) -> Picture:
        """Return what there is to see now."""
        with self._lock:
            now, end = self._monotonic(), self._end
            return Picture(
                began=self._text(self._began),
                ended=self._text(end[0]) if end else "",
                result=end[1] if end else "",
                why=end[2] if end else "",
                seconds=(end[0] if end else now) - self._began,
                again="" if self._again is None else self._text(self._again),
                runs=tuple(map(self._pictured, self._runs)),
                count=self._count,
                tasks=self._tasks,
                errors=self._errors,
                errors_left=self._errors_left,
                failures=tuple(self._failures),
            )

    def _pictured(self, run: Course) -> Pictured:
        rows = tuple(map(self._line, run.rows()))
        return Pictured(run.number, self._text(run.began), run.seconds, run.over, run.errors, tuple(run.waits), rows)

    def _line(self, row: Row) -> Line:
        began = self._text(row.began) if row.state == "running" else ""
        return Line(row.depth, row.name, row.state, row.note, row.seconds, began)

    def _text(self, moment: float) -> str:
        return datetime.fromtimestamp(self._epoch + moment - self._began, UTC).isoformat(timespec="milliseconds")
