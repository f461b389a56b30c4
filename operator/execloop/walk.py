"""The rules of one run over a task tree, once for every way of driving it: a generator without I/O, clock or event loop.

It yields the task to attempt next, or WAIT when it has none to give until one of those running is done. It is sent

- None or child tasks: the attempt ended well,
- `Failure`: a phase raised,
- RUNNING: the attempt goes on elsewhere.

A WAIT is answered with a `Done` for each attempt that ended meanwhile: all of them, so that nothing starts after a fatal
error that is known already.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from execloop.errors import ExecloopError, FatalError, ToleranceExceeded, find_fatal
from execloop.events import ERRORS_KEPT, ErrorRecord, Event, Phase, TaskFailed, TaskFinished, TaskPath, TaskStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from execloop.execution import Execution
    from execloop.options import Options
    from execloop.tasks import Task

__all__ = ["RUNNING", "WAIT", "Done", "Failure", "Reply", "Stop", "Walk"]


class _Signal(Enum):
    WAIT = "wait"
    RUNNING = "running"


WAIT: Final = _Signal.WAIT
RUNNING: Final = _Signal.RUNNING


@dataclass(frozen=True, slots=True)
class Failure:
    phase: Phase
    error: Exception


@dataclass(frozen=True, slots=True)
class Done:
    """How an attempt ended that was answered with RUNNING; `path` was the walk's `path` then."""

    path: TaskPath
    result: Reply


Reply: TypeAlias = "tuple[Task, ...] | Failure | list[Done] | Literal[_Signal.RUNNING] | None"


class Stop:
    """Asks a run to end at its next task boundary; may be set from any thread.

    `requested` lets the task at hand finish, its post() included. `expired` abandons it: no further phase starts.
    """

    __slots__ = ("expired", "requested")

    def __init__(self) -> None:
        self.requested = False
        self.expired = False

    def request(self) -> None:
        self.requested = True

    def expire(self) -> None:
        self.expired = True
        self.requested = True


class _Frame:
    """Siblings still to be visited, and whose children they are."""

    __slots__ = ("items", "parent")

    def __init__(self, parent: TaskPath | None, tasks: tuple[Task, ...]) -> None:
        self.parent = parent
        self.items: Iterator[tuple[int, Task]] = enumerate(tasks)


class Walk:
    """One run's walk. Read `count`, `errors` and `failure` at any time; a single owner drives `steps`."""

    def __init__(
        self,
        tasks: tuple[Task, ...],
        execution: Execution,
        options: Options,
        stop: Stop,
        notify: Callable[[Event], None] | None = None,
    ) -> None:
        self.options = options
        self.stop = stop
        self.notify = notify
        self.count = 0
        """Tasks attempted."""
        self.errors = 0
        self.records: deque[ErrorRecord] = deque(maxlen=ERRORS_KEPT)
        self.failure: ExecloopError | None = None
        self._errors_before = execution.errors
        self._running = 0
        self._at: TaskPath | None = None
        self._stack = [_Frame(None, tasks)]
        self.steps = self._steps()

    @property
    def path(self) -> TaskPath:
        """The path of the task that was yielded last; kept only where attempts may overlap."""
        assert self._at is not None
        return self._at

    @property
    def errors_left(self) -> int | None:
        tolerated = self.options.errors_to_tolerate
        return None if tolerated is None else tolerated - self._errors_before - self.errors

    def _steps(self) -> Generator[Task | Literal[_Signal.WAIT], Reply, None]:
        stack, stop, parallelism = self._stack, self.stop, self.options.parallelism
        plain = self.notify is None and parallelism == 1  # the fast lane: nothing to announce, nothing to remember
        while True:
            while stack and not self.failure and not stop.requested:
                frame = stack[-1]
                for index, task in frame.items:
                    if stop.requested:
                        break
                    self.count += 1
                    if not plain:
                        self._announce(frame, index, task)
                    reply = yield task
                    if plain and reply is None:
                        continue
                    if reply is RUNNING:
                        self._running += 1
                        while self._running >= parallelism:
                            self._conclude((yield WAIT))
                    else:
                        self._settle(TaskPath(frame.parent, index, task), reply)
                    break
                else:
                    stack.pop()
            if not self._running:
                return
            self._conclude((yield WAIT))

    def _announce(self, frame: _Frame, index: int, task: Task) -> None:
        self._at = TaskPath(frame.parent, index, task)
        if self.notify:
            self.notify(TaskStarted(self._at))

    def _conclude(self, ended: Reply) -> None:
        assert isinstance(ended, list)
        for done in ended:
            self._running -= 1
            self._settle(done.path, done.result)

    def _settle(self, path: TaskPath, reply: Reply) -> None:
        if isinstance(reply, Failure):
            self._fail(path, reply)
            return
        assert reply is None or isinstance(reply, tuple)
        if self.notify:
            self.notify(TaskFinished(path, len(reply or ())))
        if reply:
            self._stack.append(_Frame(path, reply))

    def _fail(self, path: TaskPath, failed: Failure) -> None:
        self.errors += 1
        self.records.append(ErrorRecord(path, failed.phase, failed.error))
        if self.notify:
            self.notify(TaskFailed(path, failed.phase, failed.error, self.errors_left))
        if self.failure is None:
            self.failure = self._judge(failed.error)
        elif (fatal := find_fatal(failed.error)) and isinstance(self.failure, ToleranceExceeded):
            self.failure = fatal

    def _judge(self, error: Exception) -> FatalError | None:
        if fatal := find_fatal(error):
            return fatal
        if self.options.tolerates(self._errors_before + self.errors):
            return None
        exceeded = ToleranceExceeded(
            f"{self._errors_before + self.errors} errors, {self.options.errors_to_tolerate} tolerated; the last: "
            f"{type(error).__name__}: {error}"
        )
        exceeded.__cause__ = error
        return exceeded
