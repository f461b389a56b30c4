"""The engine's rules once more, as a naive recursive interpreter; and plans that play what it interprets."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hypothesis import strategies as st

from execloop import Execution, ExecutionTimeout, FatalError, Options, ToleranceExceeded, Wait
from execloop._engine.execution import Again, Converged, CreateFailed, Failed
from execloop._engine.run import astep, step
from execloop._engine.runtime.clock import SYSTEM_CLOCK
from execloop._engine.runtime.threads import Threads
from execloop._engine.tasks import task
from execloop.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.execution import Outcome
    from execloop._engine.runtime.clock import Clock
    from execloop._engine.walk import Stop

UNLIMITED = Options(sleep_between_runs=0, errors_to_tolerate=None, execution_timeout=None)

Phase: TypeAlias = Literal["pre", "perform", "post"]
PHASES: tuple[Phase, ...] = ("pre", "perform", "post")
Flavour: TypeAlias = Literal["calls", "awaits", "mixed", "threads"]
FLAVOURS: tuple[Flavour, ...] = ("calls", "awaits", "mixed", "threads")
"""Sync code called, async code awaited, tasks with phases of both kinds, and sync code on an event loop."""


def _caused() -> Exception:
    error = OSError("wrapped")
    error.__cause__ = FatalError("deep")
    return error


ERRORS: dict[str, Callable[[], Exception]] = {
    "plain": lambda: OSError("down"),
    "fatal": lambda: FatalError("deep"),
    "caused": _caused,
    "grouped": lambda: ExceptionGroup("several", [ValueError("one"), ExceptionGroup("more", [FatalError("deep")])]),
    "beside a wait": lambda: ExceptionGroup("several", [Wait("x"), ExceptionGroup("more", [FatalError("deep")])]),
    "wait": lambda: Wait("x"),
    "wait 3": lambda: Wait("x", again_in=3),
    "waits": lambda: ExceptionGroup("several", [Wait("x"), ExceptionGroup("more", [Wait("y", again_in=5)])]),
}
WAITS: dict[str, float | None] = {"wait": None, "wait 3": 3.0, "waits": 5.0}
"""When each of them wants to be asked again."""


@dataclass(frozen=True)
class Node:
    """One task: what it costs, how it fails, what follows from it."""

    name: str = "t"
    children: tuple[Node, ...] = ()
    fails: Phase | None = None
    error: str = "plain"
    cost: tuple[float, float, float] = (0, 0, 0)


Script: TypeAlias = "tuple[tuple[Node, ...], ...]"
"""What `create()` returns, run by run; nothing after that."""


@dataclass
class Course:
    """What happened: in the model, or in the engine."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    """(place of the task in the tree, phase), in order; create() has no place."""
    runs: int = 0
    errors: int = 0
    end: tuple[str, object] = ("unfinished", None)


class _Over(Exception):
    pass


class Model:
    """Recursion and one mutable state, no frames, no generators: as unlike the engine as can be."""

    def __init__(self, script: Script, options: Options) -> None:
        self.script, self.options = script, options
        self.course = Course()
        self.tasks = 0
        self.now = 0.0
        self.waits: list[float | None] = []
        self.waiting_runs = 0

    def interpret(self) -> Course:
        try:
            for tasks in (*self.script, ()):
                self._in_time()
                self.course.calls.append(("", "create"))
                self.course.runs += 1
                if not tasks:
                    self._end("converged")
                errors, worked, self.waits = self.course.errors, 0, []
                for number, node in enumerate(tasks):
                    waits = len(self.waits)
                    self._attempt(node, f"{number}")
                    worked += len(self.waits) == waits
                sleep = self._sleep(failed=self.course.errors > errors, worked=worked)
                self.now += sleep
                if self.options.timeout is not None and self.now > self.options.timeout:
                    self.now = max(self.options.timeout, self.now - sleep)
        except _Over:
            pass
        return self.course

    def _sleep(self, *, failed: bool, worked: int) -> float:
        self.waiting_runs = self.waiting_runs + 1 if self.waits and not failed and not worked else 0
        if failed or not self.waits:
            return self.options.sleep
        if said := [seconds for seconds in self.waits if seconds is not None]:
            return min(said)
        pause = max(self.options.sleep, 0.1)
        for _ in range(1, self.waiting_runs):
            pause *= 2
        return max(self.options.sleep, min(pause, 30.0))

    def _attempt(self, node: Node, place: str) -> None:
        self._in_time()
        self.tasks += 1
        for phase, cost in zip(PHASES, node.cost, strict=True):
            self._in_time()
            self.course.calls.append((place, phase))
            self.now += cost
            if node.fails == phase:
                if node.error in WAITS:
                    self.waits.append(WAITS[node.error])
                else:
                    self._fail(node.error)
                return
        for number, child in enumerate(node.children):
            self._attempt(child, f"{place}.{number}")

    def _fail(self, error: str) -> None:
        self.course.errors += 1
        if error != "plain":
            self._end("fatal", "deep")
        if self.options.errors_to_tolerate is not None and self.course.errors > self.options.errors_to_tolerate:
            self._end("exceeded", self.course.errors)

    def _in_time(self) -> None:
        if self.options.timeout is not None and self.now >= self.options.timeout:
            self._end("timeout")

    def _end(self, how: str, detail: object = None) -> None:
        self.course.end = how, detail
        raise _Over


class InlineThreads(Threads):
    """Calls at once: no threads, so nothing that happens depends on them."""

    async def call(self, function: Callable[[], Any]) -> Any:
        return function()


class Playback:
    """A plan that plays a script in one of the flavours, and notes each call."""

    def __init__(self, script: Script, flavour: Flavour, clock: FakeClock) -> None:
        self.script, self.flavour, self.clock = script, flavour, clock
        self.calls: list[tuple[str, str]] = []
        self.runs = 0
        self.create = self._acreate if flavour in ("awaits", "mixed") else self._create

    def _create(self) -> Any:
        self.calls.append(("", "create"))
        self.runs += 1
        return self._tasks(self.script[self.runs - 1], "") if self.runs <= len(self.script) else None

    async def _acreate(self) -> Any:
        await asyncio.sleep(0)
        return self._create()

    def _tasks(self, nodes: tuple[Node, ...], place: str) -> Any:
        return (self._task(node, f"{place}{number}") for number, node in enumerate(nodes))

    def _task(self, node: Node, place: str) -> Any:
        pre, perform, post = (
            self._phase(node, place, phase, cost) for phase, cost in zip(PHASES, node.cost, strict=True)
        )
        return task(node.name, perform, pre=pre, post=post)

    def _phase(self, node: Node, place: str, phase: Phase, cost: float) -> Callable[[], Any]:
        def play() -> Any:
            self.calls.append((place, phase))
            self.clock.advance(cost)
            if node.fails == phase:
                make = ERRORS[node.error]
                raise make()
            return self._tasks(node.children, f"{place}.") if phase == "perform" and node.children else None

        async def aplay() -> Any:
            return play()

        asynchronous = {"calls": False, "threads": False, "awaits": True, "mixed": (len(place) + len(phase)) % 2 == 0}
        return aplay if asynchronous[self.flavour] else play


def one_run(
    plan: Any,
    flavour: Flavour,
    execution: Execution | None = None,
    options: Options = UNLIMITED,
    *,
    clock: Clock = SYSTEM_CLOCK,
    stop: Stop | None = None,
    runner: asyncio.Runner | None = None,
) -> Outcome:
    execution = execution or Execution()
    if flavour == "calls":
        return step(plan, execution, options, clock=clock, stop=stop)
    run = (runner or asyncio).run
    return run(astep(plan, execution, options, clock=clock, stop=stop, threads=InlineThreads()))


def play(
    script: Script,
    options: Options,
    flavour: Flavour,
    between: Callable[[Execution], Execution] = lambda execution: execution,
) -> Course:
    """Run by run, as a controller does; `between` is what becomes of the state from one run to the next."""
    clock = FakeClock()
    plan = Playback(script, flavour, clock)
    outcome: Outcome = Again(Execution(), 0.0)
    with asyncio.Runner() as runner:
        while isinstance(outcome, Again):
            execution = between(outcome.execution)
            outcome = one_run(plan, flavour, execution, options, clock=clock, runner=runner)
            if isinstance(outcome, Again):
                clock.sleep(outcome.delay, threading.Event())
    execution = outcome.execution
    return Course(plan.calls, execution.runs, execution.errors, _end(outcome))


def _end(outcome: Outcome) -> tuple[str, object]:
    match outcome:
        case Converged():
            return "converged", None
        case Failed(execution, ToleranceExceeded()):
            return "exceeded", execution.errors
        case Failed(_, ExecutionTimeout()):
            return "timeout", None
        case Failed(_, error) | CreateFailed(_, error):
            return "fatal", str(error)
        case _:
            return "unfinished", None


def creating(create: Callable[[], Any]) -> Any:
    """A plan of that create()."""

    class Creates:
        def __init__(self) -> None:
            self.create = create

    return Creates()


costs = st.sampled_from([0.0, 0.0, 1.0, 3.0])
leaves = st.builds(
    Node,
    fails=st.sampled_from([None, None, None, *PHASES]),
    error=st.sampled_from(["plain", "plain", "plain", "wait", *ERRORS]),
    cost=st.tuples(costs, costs, costs),
)


def with_children(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    def adopt(node: Node, adopted: list[Node]) -> Node:
        return Node(node.name, tuple(adopted), node.fails, node.error, node.cost)

    return st.builds(adopt, leaves, st.lists(children, max_size=3))


nodes = st.recursive(leaves, with_children, max_leaves=8)
scripts = st.lists(st.lists(nodes, min_size=1, max_size=4).map(tuple), max_size=4).map(tuple)
options = st.builds(
    Options,
    sleep_between_runs=st.sampled_from([0.0, 2.0]),
    errors_to_tolerate=st.one_of(st.none(), st.integers(0, 4)),
    execution_timeout=st.one_of(st.none(), st.integers(1, 40).map(float)),
)
