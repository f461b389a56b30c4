"""Crash-point exploration: fail at each call of a plan's code in turn, continue in the same world, see it converge."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from execloop._engine.errors import summary
from execloop._engine.options import Options
from execloop._engine.returned import Taken, take_children, take_created
from execloop._engine.run import describe
from execloop._engine.tasks import SKIP, Children, Task, is_async, modes, task
from execloop.testing.clock import FakeClock
from execloop.testing.convergence import Convergence, drive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execloop._engine.plan import Plan

__all__ = ["CrashPoint", "InjectedError", "Survival", "survive_failures"]

Kind: TypeAlias = Literal["error", "crash"]
When: TypeAlias = Literal["before", "after"]
_KINDS: tuple[Kind, ...] = ("error", "crash")
_WHENS: tuple[When, ...] = ("before", "after")

_OPTIONS = Options(errors_to_tolerate=None, execution_timeout=None)


class InjectedError(Exception):
    """Stands for whatever may go wrong in a call."""


class _Crash(BaseException):
    """Stands for the end of the process: no code after it runs, and nothing counts it."""


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """One place where a failure was injected, and what became of the plan."""

    call: int
    """Which of all calls of plan code, from 1."""
    code: str
    """The name of the task, with the phase; or `create`."""
    when: When
    """Before the call had its effect, or after it."""
    kind: Kind
    """An error that the engine counts, or the end of the process."""
    runs: int
    """How many runs it took from then on."""
    failure: str | None
    """Why the plan did not survive; None when it converged."""

    def __str__(self) -> str:
        more = f"{self.runs} more run{'' if self.runs == 1 else 's'}"
        fate = f"converged in {more}" if self.failure is None else self.failure.replace("\n", "\n  ")
        return f"{self.kind} {self.when} call {self.call}, {self.code}: {fate}"


@dataclass(frozen=True, slots=True)
class Survival:
    """Every crash point that was explored."""

    points: tuple[CrashPoint, ...]

    @property
    def failures(self) -> tuple[CrashPoint, ...]:
        """Return the crash points after which the plan did not converge."""
        return tuple(point for point in self.points if point.failure is not None)

    def __str__(self) -> str:
        survived = len(self.points) - len(self.failures)
        return "\n".join([f"{survived} of {len(self.points)} crash points survived", *map(str, self.points)])


def survive_failures(
    make_plan: Callable[..., Plan],
    *,
    world: Callable[[], Any] | None = None,
    check: Callable[[Any], object] | None = None,
    within: int = 10,
) -> Survival:
    """Inject one failure at each call of `create`, `pre`, `perform` and `post` in turn, before its effect and after it.

    For each of these points a new plan is made and driven up to it; then it continues and must converge within so many
    runs. An injected error is one that the engine counts. An injected crash ends the run at once: with `world`, which
    makes what outlives the process, `make_plan(world)` is then called again with the same one; without it, the plan
    that `make_plan()` made continues, as if it held nothing but its world. `check` is called with the world (or the
    plan) after each convergence and may raise AssertionError, such as for what was made twice.

    Raises AssertionError with the points that the plan did not survive.
    """
    explorer = _Explorer(make_plan, world, check, within)
    with closing(asyncio.Runner()) as runner:  # which makes its loop when first needed
        calls = explorer.count_calls(runner)
        places = itertools.product(range(1, calls + 1), _WHENS, _KINDS)
        explored = (explorer.explore(_Injection(*place), runner) for place in places)
        survival = Survival(tuple(point for point in explored if point is not None))
    if survival.failures:
        count = f"the plan does not survive {len(survival.failures)} of {len(survival.points)} crash points"
        raise AssertionError("\n".join([count, *map(str, survival.failures)]))
    return survival


@dataclass(slots=True)
class _Injection:
    """What is to happen at which call. `code` is set once it has happened."""

    call: int
    when: When
    kind: Kind
    code: str | None = None
    calls: int = 0

    def due(self, when: When, code: str) -> BaseException | None:
        """The failure, when this is the place for it; asked before and after each call."""
        self.calls += when == "before"
        if self.code is not None or (self.calls, when) != (self.call, self.when):
            return None
        self.code = code
        text = f"injected {self.when} call {self.call}"
        return InjectedError(text) if self.kind == "error" else _Crash(text)


def _nothing() -> None:
    pass


class _Probe:
    """A plan whose calls, and those of its tasks, pass by the injection."""

    def __init__(self, plan: Plan, injection: _Injection) -> None:
        self._injection = injection
        self.name = describe(plan)
        self.create = self._watched(plan.create, "create", self._created)

    def _created(self, made: object) -> Children:
        return self._all(take_created(made, lambda: f"the plan {self.name}"))

    def _all(self, taken: Taken) -> Children:
        return *map(self._probed, taken.tasks), *taken.waits

    def _probed(self, original: Task) -> Task:
        def followed(returned: object) -> Children:
            return self._all(take_children(original, returned, lambda: f"the task {original.name}"))

        pre, _, post = modes(original)
        return task(
            original.name,
            self._watched(original.perform, f"{original.name} perform", followed),
            pre=_nothing if pre == SKIP else self._watched(original.pre, f"{original.name} pre"),
            post=_nothing if post == SKIP else self._watched(original.post, f"{original.name} post"),
        )

    def _watched(
        self, function: Callable[[], Any], code: str, convert: Callable[[Any], Any] = lambda result: result
    ) -> Callable[[], Any]:
        async def convert_later(result: Any) -> Any:
            return convert(await result)

        def watched() -> Any:
            with self._around(code):
                result = function()
                return convert_later(result) if inspect.isawaitable(result) else convert(result)

        async def awaited() -> Any:
            with self._around(code):
                return convert(await function())

        return awaited if is_async(function) else watched

    @contextmanager
    def _around(self, code: str) -> Iterator[None]:
        if (error := self._injection.due("before", code)) is not None:
            raise error
        yield
        if (error := self._injection.due("after", code)) is not None:
            raise error


class _Explorer:
    def __init__(
        self,
        make_plan: Callable[..., Plan],
        world: Callable[[], Any] | None,
        check: Callable[[Any], object] | None,
        within: int,
    ) -> None:
        self._make_plan, self._world, self._check, self._within = make_plan, world, check, within

    def count_calls(self, runner: asyncio.Runner) -> int:
        """How many calls an undisturbed execution makes; it must converge, too."""
        world, plan = self._start()
        injection = _Injection(0, "before", "error")
        for run in Convergence(_Probe(plan, injection), self._within, _OPTIONS):
            drive(run, runner)
        self._still_converges(world, plan)
        return injection.calls

    def explore(self, injection: _Injection, runner: asyncio.Runner) -> CrashPoint | None:
        """None when the plan did not come that far: it does not make the same calls each time."""
        world, plan = self._start()
        clock = FakeClock()
        failure = self._up_to(injection, plan, clock, runner)
        if injection.code is None:
            return None
        if injection.kind == "crash" and self._world is not None:
            plan = self._make_plan(world)
        convergence = Convergence(plan, self._within, _OPTIONS, clock=clock)
        try:
            if failure is None:
                for run in convergence:
                    drive(run, runner)
                self._still_converges(world, plan)
        except Exception as error:  # noqa: BLE001 - whatever it is, the plan did not survive
            failure = str(error) if isinstance(error, AssertionError) else summary(error)
        return CrashPoint(
            injection.call, injection.code, injection.when, injection.kind, convergence.report.runs, failure
        )

    def _start(self) -> tuple[Any, Plan]:
        if self._world is None:
            return None, self._make_plan()
        world = self._world()
        return world, self._make_plan(world)

    def _still_converges(self, world: Any, plan: Plan) -> None:
        if self._check is not None:
            self._check(plan if self._world is None else world)

    def _up_to(self, injection: _Injection, plan: Plan, clock: FakeClock, runner: asyncio.Runner) -> str | None:
        """Drive the plan to the end of the run in which the injection happens."""
        try:
            for run in Convergence(_Probe(plan, injection), self._within + 1, _OPTIONS, clock=clock):
                if injection.code is not None:
                    break
                drive(run, runner)
        except (_Crash, InjectedError):
            return None
        except Exception as error:  # noqa: BLE001 - such as a FatalError that the injection led to
            return summary(error)
        return None
