"""The tree of tasks of one run: what is under way, and the last of what is over. Bounded, however large the run is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execloop._engine.events import TaskPath

__all__ = ["KEPT", "Row", "Steps"]

State: TypeAlias = Literal["running", "done", "failed", "waiting", "cancelled"]

KEPT: Final = 150
_ROWS: Final = 400
_DEEPEST: Final = 8
"""Steps below are drawn as deep as this."""


@dataclass(slots=True, eq=False)
class _Step:
    name: str
    position: int
    began: float
    parent: _Step | None = None
    state: State = "running"
    note: str = ""
    seconds: float | None = None
    expected: int = 0
    settled: int = 0
    hidden: int = 0
    """Children that are over and were forgotten."""
    bad: bool = False
    """Whether it, or what followed from it, failed or waits."""
    children: dict[int, _Step] = field(default_factory=dict)


class Row(NamedTuple):
    """One line of the tree."""

    depth: int
    name: str
    state: str
    note: str = ""
    seconds: float | None = None
    """How long it took; None while it is under way."""
    began: float = 0.0


class Steps:
    """`expected`: how many tasks the plan returned. Times are those of the caller's clock.

    `name` gives the text that is kept of a task's name. Of the steps that are over it keeps `kept` that were good, and
    as many that failed or wait.
    """

    def __init__(self, expected: int, name: Callable[[str], str] = str, kept: int = KEPT) -> None:
        self._root = _Step("", 0, 0.0, expected=expected)
        self._name, self._kept = name, kept
        self._open: dict[TaskPath | None, _Step] = {None: self._root}
        self._good: deque[_Step] = deque()
        self._bad: deque[_Step] = deque()
        self._ended = False
        self.over = 0

    def start(self, path: TaskPath, now: float) -> None:
        """A task begins."""
        parent = self._open[path.parent]
        parent.children[path.position] = _Step(self._name(path.name), path.position, now, parent)

    def finish(self, path: TaskPath, children: int, now: float) -> None:
        """A task ended well, and so many follow from it."""
        step = self._open[path.parent].children[path.position]
        step.state, step.seconds, step.expected = "done", now - step.began, children
        self.over += 1
        if children:
            self._open[path] = step
        else:
            self._settle(path)

    def fail(self, path: TaskPath, note: str, now: float) -> None:
        """A task failed, perhaps before it began."""
        if path.position not in self._open[path.parent].children:
            self.start(path, now)
        self._end_badly(path, "failed", note, now)

    def wait(self, path: TaskPath, note: str, now: float) -> bool:
        """A task waits. Return False when it is over already: what follows from it waits."""
        parent = self._open.get(path.parent)
        step = None if parent is None else parent.children.get(path.position)
        if step is None or step.state != "running":
            return False
        self._end_badly(path, "waiting", note, now)
        return True

    def end(self, now: float) -> None:
        """The run is over: a task that is under way was left, and what has not begun will not begin."""
        for parent in self._open.values():
            for step in parent.children.values():
                if step.state == "running":
                    step.state, step.seconds = "cancelled", now - step.began
        self._ended, self._open = True, {}

    def _end_badly(self, path: TaskPath, state: State, note: str, now: float) -> None:
        step = self._open[path.parent].children[path.position]
        step.state, step.note, step.seconds = state, note, now - step.began
        self.over += 1
        above: _Step | None = step
        while above is not None and not above.bad:
            above.bad, above = True, above.parent
        self._settle(path)

    def _settle(self, path: TaskPath) -> None:
        """The task is over; so is each ancestor whose last child this was."""
        here: TaskPath | None = path
        while here is not None:
            parent = self._open[here.parent]
            self._keep(parent.children[here.position])
            self._open.pop(here, None)
            parent.settled += 1
            if parent.settled < parent.expected:
                return
            here = here.parent

    def _keep(self, step: _Step) -> None:
        kept = self._bad if step.bad else self._good
        kept.append(step)
        if len(kept) > self._kept:
            gone = kept.popleft()
            if gone.parent is not None:
                gone.parent.children.pop(gone.position, None)
                gone.parent.hidden += 1

    def rows(self) -> tuple[Row, ...]:
        """Return the tree, line by line."""
        found: list[Row] = []
        for row in self._walk():
            if len(found) == _ROWS:
                found.append(Row(0, "and more", "more"))
                break
            found.append(row)
        return tuple(found)

    def _walk(self) -> Iterator[Row]:
        stack: list[Row | tuple[int, _Step]] = [(-1, self._root)]
        while stack:
            top = stack.pop()
            if isinstance(top, Row):
                yield top
                continue
            depth, step = top
            below = min(depth + 1, _DEEPEST)
            if step is not self._root:
                yield Row(min(depth, _DEEPEST), step.name, step.state, step.note, step.seconds, step.began)
            if step.hidden:
                yield Row(below, f"{step.hidden} more are over", "more")
            if (coming := step.expected - step.hidden - len(step.children)) > 0:
                stack.append(Row(below, f"{coming} {'did not run' if self._ended else 'to come'}", "more"))
            stack += [(depth + 1, child) for child in reversed(step.children.values())]
