"""The tree of tasks as it stands: fed by events, read by what draws it. Bounded, however large the tree is."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from execloop._engine.events import (
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskPath,
    TaskStarted,
    TaskWaiting,
)

if TYPE_CHECKING:
    from execloop._engine.events import Event

__all__ = ["Node", "Progress"]

State: TypeAlias = Literal["running", "done", "failed", "waiting"]

SETTLED_KEPT = 4
WAITS_KEPT = 4


@dataclass(slots=True, eq=False)
class Node:
    """A task with its children. A subtree that is done is one node; of those, and of failed ones, the last are kept."""

    name: str
    parent: Node | None = None
    state: State = "running"
    note: str = ""
    expected: int = 0
    """How many children there are in all."""
    settled: int = 0
    """How many of them are over, each with all that followed from it."""
    recent: deque[Node] = field(default_factory=lambda: deque(maxlen=SETTLED_KEPT))
    open: dict[int, Node] = field(default_factory=dict)
    """Children that are under way, by position."""

    @property
    def coming(self) -> int:
        """How many children have not started."""
        return self.expected - self.settled - len(self.open)


class Progress:
    """A listener; may be read while it is written, under `lock`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.root = Node("")
        self.run = 0
        self.tasks = 0
        """Tasks that are over, in all runs."""
        self.errors = 0
        self.errors_left: int | None = None
        self.sleeping: float | None = None
        """The delay until the next run, between two."""
        self.waits: deque[str] = deque(maxlen=WAITS_KEPT)
        """What this run waits for, beside the tasks that wait: the last of it."""
        self._parents: dict[TaskPath | None, Node] = {}

    def __call__(self, event: Event) -> None:
        with self.lock:
            match event:
                case RunStarted(execution, names, errors_left):
                    self.run, self.errors_left, self.sleeping = execution.runs + 1, errors_left, None
                    self.root = Node("", expected=len(names))
                    self.waits.clear()
                    self._parents = {None: self.root}
                case TaskStarted(path):
                    parent = self._parents[path.parent]
                    parent.open[path.position] = Node(path.name, parent)
                case TaskFinished(path, children):
                    self._finish(path, children)
                case TaskFailed(path, phase, error, errors_left):
                    self.errors, self.errors_left = self.errors + 1, errors_left
                    self._settle(path, "failed", f"{phase}: {type(error).__name__}")
                case TaskWaiting(path, message):
                    if path is not None and self._is_running(path):
                        self._settle(path, "waiting", message)
                    else:
                        self.waits.append(message)
                case RunFinished(execution, delay):
                    self.sleeping = delay

    def _is_running(self, path: TaskPath) -> bool:
        """Whether a task is in one of its own phases, rather than over or followed by its children."""
        parent = self._parents.get(path.parent)
        return path not in self._parents and parent is not None and path.position in parent.open

    def _finish(self, path: TaskPath, children: int) -> None:
        if not children:
            self._settle(path, "done", "")
            return
        node = self._parents[path.parent].open[path.position]
        node.expected = children
        self.tasks += 1
        self._parents[path] = node

    def _settle(self, path: TaskPath, state: State, note: str) -> None:
        """The task is over; so is each ancestor whose last child this was."""
        self.tasks += 1
        step: TaskPath | None = path
        while step is not None:
            parent = self._parents[step.parent]
            node = parent.open.pop(step.position)
            node.state, node.note = state, note
            node.recent.clear()
            parent.recent.append(node)
            parent.settled += 1
            self._parents.pop(step, None)
            if parent.settled < parent.expected:
                return
            step, state, note = step.parent, "done", _and_children(parent.expected)


def _and_children(count: int) -> str:
    return f"and {count} child{'' if count == 1 else 'ren'}"
