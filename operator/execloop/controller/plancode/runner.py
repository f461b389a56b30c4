"""A plan's code at work for the operator: observe it, or run it; every way that can end is a frozen value."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from execloop._engine.errors import FatalError
from execloop._engine.execution import CreateFailed, Execution, Failed, Outcome
from execloop._engine.run import Run
from execloop._engine.tasks import AnyTask, Children, NotTasks, is_async, take
from execloop.controller.plancode.host import Escaped, LoopGivenUp, PlanHost, TooManyBlocked

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from execloop._engine.options import Options
    from execloop._engine.plan import Plan
    from execloop._engine.walk import Stop
    from execloop._plans.definition import Definition
    from execloop.controller.watch.cache import Key

__all__ = ["Nothing", "Observed", "Postponed", "Prepared", "Ran", "Work", "drive", "observe", "unmade"]


@dataclass(frozen=True, slots=True)
class Nothing:
    """`create()` returned no task."""


@dataclass(frozen=True, slots=True)
class Work:
    """`create()` returned these."""

    tasks: tuple[AnyTask, ...]


@dataclass(frozen=True, slots=True)
class Postponed:
    """No fault of the plan: its run begins again, uncounted."""

    message: str


class Ran(NamedTuple):
    """How an attempt at a run ended."""

    outcome: Outcome | Postponed
    names: tuple[str, ...] = ()
    """The tasks that `create()` asked for, as they may be told."""
    last_error: str | None = None
    """The last error of a task, as it may be told."""
    attempted: int = 0
    """Tasks, those that failed among them."""
    failed: int = 0


Observed: TypeAlias = Nothing | Work | Postponed | CreateFailed | Failed


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that was asked already."""

    name: str
    tasks: tuple[AnyTask, ...]

    def create(self) -> Children:
        return self.tasks


class _Unmade:
    """A plan that is made when it is asked: where its code may block, and as a part of `create()`."""

    def __init__(self, name: str, make: Callable[[], Plan]) -> None:
        self.name, self._make = name, make

    def create(self) -> Any:
        return self._make().create()


class _UnmadeAsync(_Unmade):
    async def create(self) -> Any:
        created = self._make().create()
        return await created if inspect.isawaitable(created) else created


class _Undoing:
    """A plan whose `teardown()` is what `create()` is to others."""

    def __init__(self, plan: Any) -> None:
        self.create = plan.teardown


def unmade(definition: Definition, make: Callable[[], Plan], *, teardown: bool = False) -> Plan:
    if teardown:
        kind = _UnmadeAsync if definition.teardown_asynchronous else _Unmade
        return kind(definition.name, lambda: _Undoing(make()))
    return (_UnmadeAsync if definition.asynchronous else _Unmade)(definition.name, make)


async def observe(code: PlanHost, key: Key, plan: Plan, execution: Execution) -> Observed:
    """Ask a plan, and run nothing."""

    def taken(created: object) -> tuple[AnyTask, ...]:
        return take(created, lambda: f"create() of the plan {getattr(plan, 'name', '')!r}")[0]

    async def awaited() -> tuple[AnyTask, ...]:
        return taken(await cast("Any", plan.create()))

    try:
        if is_async(plan.create):
            tasks = await code.on_loop(key, awaited)
        else:
            tasks = await code.call(key, lambda: taken(plan.create()))
    except (LoopGivenUp, TooManyBlocked) as reason:
        return Postponed(str(reason))
    except NotTasks as error:
        return Failed(execution, error)
    except (SystemExit, KeyboardInterrupt, Escaped) as error:
        return Failed(execution, _fatal(error))
    except Exception as error:  # noqa: BLE001 - any error of the plan's code
        return CreateFailed(execution, error)
    return Work(tasks) if tasks else Nothing()


def _fatal(error: BaseException) -> FatalError:
    cause = error.__cause__ if isinstance(error, Escaped) and error.__cause__ is not None else error
    fatal = FatalError(f"the plan's code raised {type(cause).__name__}: {cause}")
    fatal.__cause__ = cause
    return fatal


def drive(
    code: PlanHost, key: Key, plan: Plan, execution: Execution, options: Options, stop: Stop
) -> tuple[Run, Coroutine[Any, Any, Outcome | Postponed]]:
    """The run, and what drives it; progress can be read from the run meanwhile."""
    run = Run(plan, execution, options, stop=stop)

    async def driving() -> Outcome | Postponed:
        try:
            if is_async(plan.create) or not await _blocking(code, key, run):
                await code.on_loop(key, run.on_loop)
        except (LoopGivenUp, TooManyBlocked) as reason:
            run.abandon()
            return Postponed(str(reason))
        except (SystemExit, KeyboardInterrupt, Escaped) as error:
            return Failed(run.execution, _fatal(error))
        return run.settle()

    return run, driving()


async def _blocking(code: PlanHost, key: Key, run: Run) -> bool:
    """Drive in a thread until the deadline: whether that was all."""
    timeout = run.options.timeout
    left = None if timeout is None else max(0.0, run.execution.deadline(timeout) - run.clock.now())
    try:
        async with asyncio.timeout(left) as scope:
            return await code.call(key, run.blocking)
    except TimeoutError:
        if not scope.expired():
            raise
        run.abandon()
        return True
