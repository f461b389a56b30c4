"""The course of one run, from its events: the tree of its tasks, what it waits for, and how long it took."""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Final

from execloop._engine.events import TaskFailed, TaskFinished, TaskStarted, TaskWaiting
from execloop.page.runs.steps import Steps

if TYPE_CHECKING:
    from execloop._engine.events import Event
    from execloop.page.runs.steps import Row
    from execloop.page.runs.texts import Texts

__all__ = ["Course"]

_MOST_WAITS: Final = 20
_EMPTY_BYTES, _ROW_BYTES = 1000, 200


class Course:
    """`expected`: the tasks that the plan returned. Times are those of the caller's clock.

    Once it is over it keeps rows of text only: no task, no path, no error, and it takes no event any more.
    """

    def __init__(self, number: int, began: float, expected: int, texts: Texts, kept: int) -> None:
        self.number, self.began = number, began
        self.waits: deque[str] = deque(maxlen=_MOST_WAITS)
        self.seconds: float | None = None
        self.errors = 0
        self.over = 0
        """Tasks that are over."""
        self._texts: Texts | None = texts
        self._steps = Steps(expected, texts.name, kept)
        self._rows: tuple[Row, ...] = ()
        self.size = 0
        """About how many bytes it takes, once it is over."""

    @property
    def ended(self) -> bool:
        return self.seconds is not None

    def take(self, event: Event, now: float) -> tuple[str, str] | None:
        """Take what happened to a task; return the place and the text of an error."""
        if self._texts is None:  # code that was left at the end of the run
            return None
        failed = None
        match event:
            case TaskStarted(path):
                self._steps.start(path, now)
            case TaskFinished(path, children):
                self._steps.finish(path, children, now)
            case TaskFailed(path, phase, error):
                text = self._texts.error(error)
                self._steps.fail(path, text if phase == "perform" else f"{phase}: {text}", now)
                self.errors += 1
                failed = self._texts.name(str(path)), text
            case TaskWaiting(path, message):
                shown = self._texts.message(message)
                if path is None or not self._steps.wait(path, shown, now):
                    self.waits.append(shown)
        self.over = self._steps.over
        return failed

    def end(self, now: float) -> None:
        """The run is over."""
        if self._texts is None:
            return
        self.seconds = now - self.began
        self._steps.end(now)
        self._rows, self._texts = self._steps.rows(), None
        del self._steps
        self._weigh()

    def forget_tasks(self) -> None:
        """Keep the counts alone."""
        self.end(self.began)
        self._rows = ()
        self._weigh()

    def _weigh(self) -> None:
        texts = (text for row in self._rows for text in (row.name, row.note))
        waits = sum(map(sys.getsizeof, self.waits))
        self.size = _EMPTY_BYTES + waits + _ROW_BYTES * len(self._rows) + sum(map(sys.getsizeof, texts))

    def rows(self) -> tuple[Row, ...]:
        """Return the tree, line by line."""
        return self._rows if self.ended else self._steps.rows()
