"""One run of a plan's code for the operator: observe, then execute; every way it can end is a frozen value."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from execloop.controller.plancode import Escaped, LoopGivenUp, PlanCode, TooManyBlocked
from execloop.errors import FatalError
from execloop.execution import CreateFailed, Execution, Failed, Outcome
from execloop.run import Run
from execloop.tasks import NotTasks, Task, is_async, take

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from execloop.controller.track import Key
    from execloop.options import Options
    from execloop.plans import Plan
    from execloop.walk import Stop

__all__ = ["Nothing", "Observed", "Postponed", "Work", "execute", "observe"]


@dataclass(frozen=True, slots=True)
class Nothing:
    """`create()` returned no task."""


@dataclass(frozen=True, slots=True)
class Work:
    """`create()` returned these."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Postponed:
    """No fault of the plan: its run begins again, uncounted."""

    message: str


Observed: TypeAlias = Nothing | Work | Postponed | CreateFailed | Failed


class _Prepared:
    """A plan whose `create()` was called already."""

    def __init__(self, name: str, tasks: tuple[Task, ...]) -> None:
        self.name, self._tasks = name, tasks

    def create(self) -> tuple[Task, ...]:
        return self._tasks


async def observe(
    code: PlanCode, key: Key, name: str, make: Callable[[], Plan], asynchronous: bool, execution: Execution
) -> Observed:
    """Make the plan and ask it. A constructor that raises is as a `create()` that does."""

    def called() -> Any:
        plan = make()
        return plan if is_async(plan.create) else _taken(name, plan.create())

    async def awaited(plan: Plan | None = None) -> tuple[Task, ...]:
        plan = plan or make()
        created = plan.create()
        return _taken(name, await cast("Any", created) if is_async(plan.create) else created)

    try:
        if asynchronous:
            tasks = await code.on_loop(key, awaited)
        else:
            tasks = await code.call(key, called)
            if not isinstance(tasks, tuple):
                tasks = await code.on_loop(key, lambda: awaited(tasks))
    except (LoopGivenUp, TooManyBlocked) as reason:
        return Postponed(str(reason))
    except NotTasks as error:
        return Failed(execution, error)
    except (SystemExit, KeyboardInterrupt, Escaped) as error:
        return Failed(execution, _fatal(error))
    except Exception as error:  # noqa: BLE001 - any error of the plan's code
        return CreateFailed(execution, error)
    return Work(tasks) if tasks else Nothing()


def _taken(name: str, created: object) -> tuple[Task, ...]:
    return take(created, lambda: f"create() of the plan {name!r}")[0]


def _fatal(error: BaseException) -> FatalError:
    cause = error.__cause__ if isinstance(error, Escaped) and error.__cause__ is not None else error
    fatal = FatalError(f"the plan's code raised {type(cause).__name__}: {cause}")
    fatal.__cause__ = cause
    return fatal


def execute(
    code: PlanCode, key: Key, run_name: str, work: Work, execution: Execution, options: Options, stop: Stop
) -> tuple[Run, Callable[[], Coroutine[Any, Any, Outcome | Postponed]]]:
    """The run, and the coroutine function that drives it; progress can be read from the run meanwhile."""
    run = Run(cast("Plan", _Prepared(run_name, work.tasks)), execution, options, stop=stop)

    async def drive() -> Outcome | Postponed:
        try:
            if not await _blocking(code, key, run):
                await code.on_loop(key, run.on_loop)
        except (LoopGivenUp, TooManyBlocked) as reason:
            run.abandon()
            return Postponed(str(reason))
        except (SystemExit, KeyboardInterrupt, Escaped) as error:
            return Failed(run.execution, _fatal(error))
        return run.weigh()

    return run, drive


async def _blocking(code: PlanCode, key: Key, run: Run) -> bool:
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
