"""The rules of one run over a task tree, without I/O, clock or event loop. The drivers share this one generator.

It yields an iterator of siblings to attempt in order. The driver attempts them until one has a result to report, and
sends it:

- child tasks: the attempt ended well and these follow from it,
- `Followed`: it ended well, and waits are among what follows from it,
- `Failure`: a phase raised, perhaps a `Wait`,
- None: all of them ended and none has a result to report; or a stop was requested while they were attempted,
- RUNNING: the attempt continues in another lane. The walk then yields WAIT. The driver answers with the `AttemptEnded`
  of an attempt, or with None to ask for one more task. The walk yields WAIT again while it has none.

Siblings, not single tasks: a generator that yields each task costs half as much again as the bare loop over them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from operator import length_hint
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from execloop._engine.errors import ExecloopError, FatalError, ToleranceExceeded, find_fatal, summary
from execloop._engine.events import (
    ERRORS_KEPT,
    ErrorRecord,
    Event,
    Phase,
    TaskFailed,
    TaskFinished,
    TaskPath,
    TaskStarted,
    TaskWaiting,
    WaitRecord,
)
from execloop._engine.waits import waits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from execloop._engine.execution import Execution
    from execloop._engine.options import Options
    from execloop._engine.tasks import Task
    from execloop._engine.waits import Wait

__all__ = [
    "RUNNING",
    "WAIT",
    "AttemptEnded",
    "Failure",
    "Followed",
    "Place",
    "Reply",
    "Stop",
    "Walk",
    "WalkStep",
    "Withhold",
]


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
class Followed:
    """Children of which some are waits."""

    tasks: tuple[Task, ...]
    waits: tuple[Wait, ...]


@dataclass(slots=True)
class AttemptEnded:
    """How an attempt ended that was answered with RUNNING; `place` was the walk's `place` then."""

    place: Place
    reply: Reply


WalkStep: TypeAlias = "Iterator[Task] | Literal[_Signal.WAIT]"
Reply: TypeAlias = "tuple[Task, ...] | Followed | Failure | AttemptEnded | Literal[_Signal.RUNNING] | None"


Withhold: TypeAlias = "Callable[[TaskPath], bool]"
"""Whether a task must not run now, because it needs an approval, say; asked before it and its siblings run."""


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
    """Siblings, whose children they are, and what was attempted before the first of them.

    `chosen` are the positions of those that may run, where not all may.
    """

    __slots__ = ("before", "below", "chosen", "parent", "pending", "tasks")

    def __init__(
        self,
        tasks: tuple[Task, ...],
        parent: Place | None,
        below: _Frame | None,
        before: int,
        chosen: tuple[int, ...] | None = None,
    ) -> None:
        self.tasks = tasks
        self.chosen = chosen
        self.pending: Iterator[Task] = iter(tasks if chosen is None else [tasks[position] for position in chosen])
        self.parent = parent
        self.below = below
        self.before = before

    @property
    def taken(self) -> int:
        return len(self.tasks if self.chosen is None else self.chosen) - length_hint(self.pending)


class Place:
    """Where in the tree a task stands. Its path is made when it is asked for: for a listener, or an error."""

    __slots__ = ("frame", "made", "position")

    def __init__(self, frame: _Frame) -> None:
        """The place of the task that was taken last from these siblings."""
        self.frame = frame
        self.position = frame.taken - 1 if frame.chosen is None else frame.chosen[frame.taken - 1]
        self.made: TaskPath | None = None

    @property
    def path(self) -> TaskPath:
        lineage = [self]  # no recursion: it may be 10,000 deep
        while lineage[-1].made is None and (parent := lineage[-1].frame.parent) is not None:
            lineage.append(parent)
        path: TaskPath | None = None
        for place in reversed(lineage):
            if place.made is None:
                place.made = TaskPath(path, place.position, place.frame.tasks[place.position])
            path = place.made
        assert path is not None
        return path


class Walk:
    """One run's walk. Read `count`, `errors`, `waits` and `failure` at any time; a single owner drives `advance`."""

    def __init__(
        self,
        tasks: tuple[Task, ...],
        execution: Execution,
        options: Options,
        stop: Stop,
        notify: Callable[[Event], None] | None = None,
        waits: tuple[Wait, ...] = (),
        withhold: Withhold | None = None,
    ) -> None:
        self.options = options
        self.stop = stop
        self.notify = notify
        self.tasks = tasks
        """What `create()` returned."""
        self.known = len(tasks)
        """Tasks that `create()` and `perform()` have returned until now."""
        self.errors = 0
        self.records: deque[ErrorRecord] = deque(maxlen=ERRORS_KEPT)
        self.waits: deque[WaitRecord] = deque(maxlen=ERRORS_KEPT)
        self.again_in: float | None = None
        """The soonest that a wait asked for."""
        self.failure: ExecloopError | None = None
        self._waited: set[int] = set()
        """Which of `tasks` wait, or have something below them that does."""
        self._created_waits = waits
        self._withhold = withhold
        self._errors_before = execution.errors
        self._running = 0
        self._place: Place | None = None
        self._frame = _Frame((), None, None, 0)
        self._steps = self._walk()

    @property
    def count(self) -> int:
        """Tasks attempted. Computed from what is left, so that it costs nothing during the walk."""
        frame = self._frame
        return frame.before + frame.taken

    @property
    def worked(self) -> tuple[Task, ...]:
        """Those of `tasks` that ended without a wait, theirs or one of what followed from them."""
        waited = self._waited
        return tuple(task for at, task in enumerate(self.tasks) if at not in waited) if waited else self.tasks

    @property
    def place(self) -> Place:
        """The place of the task that was yielded last; kept only where tasks are yielded one by one."""
        assert self._place is not None
        return self._place

    @property
    def errors_left(self) -> int | None:
        tolerated = self.options.errors_to_tolerate
        return None if tolerated is None else max(0, tolerated - self._errors_before - self.errors)

    @property
    def ready(self) -> bool:
        """Whether a task may start now."""
        stopped = self.failure is not None or self.stop.requested
        return not stopped and self._running < self.options.parallelism and self._back()

    def begin(self) -> WalkStep | None:
        """Return the first step."""
        self._wait(None, self._created_waits)
        self._descend(self.tasks, None)
        return next(self._steps, None)

    def advance(self, reply: Reply) -> WalkStep | None:
        """Send a reply; return the next step, or None at the end."""
        try:
            return self._steps.send(reply)
        except StopIteration:
            return None

    def _walk(self) -> Generator[WalkStep, Reply, None]:
        singly = self.options.parallelism > 1 or self.notify is not None
        while True:
            while self.ready:
                frame = self._frame
                reply = yield self._single(frame) if singly else frame.pending
                if reply is RUNNING:
                    self._running += 1
                    self._receive((yield WAIT))
                elif singly:
                    self._settle(self.place, reply)
                elif reply is not None:
                    self._settle(Place(frame), reply)
            if not self._running:
                return
            self._receive((yield WAIT))

    def _back(self) -> bool:
        """Go back up to the nearest siblings that are left; False when there are none."""
        frame = self._frame
        while not length_hint(frame.pending) and frame.below is not None:
            frame.below.before = self.count - frame.below.taken
            self._frame = frame = frame.below
        return bool(length_hint(frame.pending))

    def _single(self, frame: _Frame) -> Iterator[Task]:
        task = next(frame.pending)
        self._place = Place(frame)
        if self.notify:
            self.notify(TaskStarted(self._place.path))
        return iter((task,))

    def _receive(self, reply: Reply) -> None:
        if reply is not None:
            assert isinstance(reply, AttemptEnded)
            self._running -= 1
            self._settle(reply.place, reply.reply)

    def _settle(self, place: Place, reply: Reply) -> None:
        if isinstance(reply, Failure):
            if waits := waits_of(reply.error):
                self._wait(place.path, waits)
            else:
                self._fail(place.path, reply)
            return
        children = reply.tasks if isinstance(reply, Followed) else reply
        assert children is None or isinstance(children, tuple)
        if self.notify:
            self.notify(TaskFinished(place.path, len(children or ())))
        if isinstance(reply, Followed):
            self._wait(place.path, reply.waits)
        if children:
            self.known += len(children)
            self._descend(children, place)

    def _descend(self, tasks: tuple[Task, ...], parent: Place | None) -> None:
        chosen = None if self._withhold is None else self._chosen(tasks, parent)
        self._frame = _Frame(tasks, parent, None if parent is None else self._frame, self.count, chosen)

    def _chosen(self, tasks: tuple[Task, ...], parent: Place | None) -> tuple[int, ...]:
        """Return the positions of the tasks that may run now."""
        path = None if parent is None else parent.path
        chosen = []
        for position, task in enumerate(tasks):
            place = TaskPath(path, position, task)
            try:
                withheld = self._withhold is not None and self._withhold(place)
            except Exception as error:  # noqa: BLE001 - what a task shows of itself is code of the plan's
                self._fail(place, Failure("pre", error))
                continue
            if withheld:
                self._waited.add(place.root)
            else:
                chosen.append(position)
        return tuple(chosen)

    def _wait(self, path: TaskPath | None, waits: tuple[Wait, ...]) -> None:
        for wait in waits:
            self.waits.append(WaitRecord(path, wait.message, wait.again_in))
            if wait.again_in is not None:
                self.again_in = wait.again_in if self.again_in is None else min(self.again_in, wait.again_in)
            if self.notify:
                self.notify(TaskWaiting(path, wait.message, wait.again_in))
        if waits and path is not None:
            self._waited.add(path.root)

    def _fail(self, path: TaskPath, failed: Failure) -> None:
        self.errors += 1
        self.records.append(ErrorRecord(path, failed.phase, failed.error))
        if self.notify:
            self.notify(TaskFailed(path, failed.phase, failed.error, self.errors_left))
        if self.failure is None:
            self.failure = self._fatal(failed.error)
        elif (fatal := find_fatal(failed.error)) and isinstance(self.failure, ToleranceExceeded):
            self.failure = fatal

    def _fatal(self, error: Exception) -> FatalError | None:
        if fatal := find_fatal(error):
            return fatal
        errors = self._errors_before + self.errors
        if self.options.tolerates(errors):
            return None
        tolerated = self.options.errors_to_tolerate
        exceeded = ToleranceExceeded(f"{errors} errors, {tolerated} tolerated; the last: {summary(error)}")
        exceeded.__cause__ = error
        return exceeded
