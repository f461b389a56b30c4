"""A plan's code at work for the operator: parse its parameters, observe it, or run it.

Every way that can end is a frozen value.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from execloop._engine.errors import FatalError, InvalidParameters
from execloop._engine.execution import CreateFailed, Execution, Failed, Outcome
from execloop._engine.returned import NotTasks, Taken, take
from execloop._engine.run import Run, out_of_time
from execloop._engine.tasks import AnyTask, Children, is_async
from execloop._engine.waits import Wait, waits_of
from execloop.controller.plancode.errors import Escaped, NotNow, OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from execloop._engine.options import Options
    from execloop._engine.plan import Plan
    from execloop._engine.walk import Stop
    from execloop._plans.definition import Definition
    from execloop.controller.plancode.host import PlanHost
    from execloop.controller.watch.cache import Key

__all__ = [
    "Cancelled",
    "Nothing",
    "Observed",
    "Parsed",
    "Postponed",
    "Prepared",
    "Ran",
    "Refused",
    "Work",
    "drive",
    "observe",
    "parse",
    "unmade",
]

_PARSING = 30.0
_SHORT_WAIT = 1.0
_GRACE = 1.0


@dataclass(frozen=True, slots=True)
class Nothing:
    """`create()` returned no task, and no wait."""


@dataclass(frozen=True, slots=True)
class Work:
    """`create()` returned these."""

    tasks: tuple[AnyTask, ...]
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True, slots=True)
class Postponed:
    """No fault of the plan: what was asked for begins again, uncounted. Nothing of it has counted until now.

    Ask again after `after` seconds; `PlanHost` tells earlier (`on_free`) when what stood in the way has gone.
    """

    message: str
    after: float = 1.0


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the plan's parameter model made of the parameters."""

    parameters: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there are none: InvalidParameters, FatalError when the model's code raised something else."""

    error: InvalidParameters | FatalError


class Cancelled(Exception):
    """Plan code raised CancelledError, though nobody had cancelled it."""

    def __init__(self) -> None:
        super().__init__("the plan's code raised CancelledError")


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
    waits: tuple[Wait, ...] = ()

    def create(self) -> Children:
        return *self.tasks, *self.waits


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


async def parse(
    code: PlanHost, key: Key, definition: Definition, raw: dict[str, Any], *, within: float = _PARSING
) -> Parsed | Refused | Postponed:
    """Run a plan's parameter model, which is plan code, in the plans' threads; `within`: seconds it may take.

    One that takes longer bars its Plan until it has returned.
    """
    try:
        return Parsed(await code.call(key, lambda: definition.parse(raw), within=within))
    except NotNow as reason:
        return Postponed(str(reason), reason.after)
    except InvalidParameters as error:
        return Refused(error)
    except OutOfTime as error:
        return Refused(InvalidParameters(f"parameters: the plan's model has {error}"))
    except Exception as error:  # noqa: BLE001 - any error of the plan's code
        cause = _cause(error)
        fatal = FatalError(
            f"parameters: the plan's model raised {type(cause).__name__}"
        )  # its message may hold a value
        fatal.__cause__ = cause
        return Refused(fatal)


async def observe(
    code: PlanHost, key: Key, plan: Plan, execution: Execution, options: Options | None = None
) -> Observed:
    """Ask a plan, and run nothing; with `options` until the execution's deadline. The wait for a place is no part."""

    def taken(created: object) -> Taken:
        return take(created, lambda: f"create() of the plan {getattr(plan, 'name', '')!r}")

    async def awaited() -> Taken:
        return taken(await cast("Any", plan.create()))

    within = None if options is None else _left(execution, options, time.time())
    try:
        if is_async(plan.create):
            found = await code.on_loop(key, awaited, within=within)
        else:
            found = await code.call(key, lambda: taken(plan.create()), within=within)
    except NotNow as reason:
        return Postponed(str(reason), reason.after)
    except OutOfTime:
        assert options is not None
        return Failed(execution, out_of_time(options))
    except Exception as error:  # noqa: BLE001 - any error of the plan's code
        waits = waits_of(error)
        return Work((), waits) if waits else _not_created(execution, error)
    return Work(found.tasks, found.waits) if found.tasks or found.waits else Nothing()


def _not_created(execution: Execution, error: Exception) -> CreateFailed | Failed:
    match error:
        case NotTasks():
            return Failed(execution, error)
        case Escaped(__cause__=asyncio.CancelledError()):
            return CreateFailed(execution, Cancelled())
        case Escaped():
            return Failed(execution, _fatal(error))
        case _:
            return CreateFailed(execution, error)


def _left(execution: Execution, options: Options, now: float) -> float | None:
    if options.timeout is None or execution.started_at is None:
        return options.timeout
    return max(0.0, execution.deadline(options.timeout) - now)


def _fatal(error: BaseException) -> FatalError:
    cause = _cause(error)
    fatal = FatalError(f"the plan's code raised {type(cause).__name__}: {cause}")
    fatal.__cause__ = cause
    return fatal


def _cause(error: BaseException) -> BaseException:
    return error.__cause__ if isinstance(error, Escaped) and error.__cause__ is not None else error


def _judged(error: BaseException) -> Exception:
    """A CancelledError that plan code raised without having been cancelled is an error as any other."""
    if isinstance(error, Exception):
        return error
    if isinstance(error, asyncio.CancelledError) and not _being_cancelled():
        return Cancelled()
    raise error


def _being_cancelled() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # in a thread, which cannot be cancelled
        return False
    return task is not None and task.cancelling() > 0


def drive(
    code: PlanHost, key: Key, plan: Plan, execution: Execution, options: Options, stop: Stop
) -> tuple[Run, Coroutine[Any, Any, Outcome | Postponed]]:
    """The run, and what drives it; progress can be read from the run meanwhile."""
    run = Run(plan, execution, options, stop=stop, judge=_judged)

    async def driving() -> Outcome | Postponed:
        try:
            if is_async(plan.create) or not await _blocking(code, key, run):
                await _awaiting(code, key, run)
        except NotNow as reason:
            run.abandon()
            return Postponed(str(reason), reason.after)
        except OutOfTime:
            run.abandon()
        except Escaped as error:
            run.abandon()
            return Failed(run.execution, _fatal(error))
        return run.settle()

    return run, driving()


async def _blocking(code: PlanHost, key: Key, run: Run) -> bool:
    """Drive in a thread until the deadline: whether that was all."""
    asked = run.clock.monotonic()

    def begin() -> bool:
        _put_off(run, asked)
        return run.blocking()

    return await code.call(key, begin, within=_left(run.execution, run.options, run.clock.now()))


async def _awaiting(code: PlanHost, key: Key, run: Run) -> None:
    """Drive on the plans' loop. The run itself ends at its deadline; code that eats its cancellation is left then."""
    asked, left = run.clock.monotonic(), _left(run.execution, run.options, run.clock.now())

    async def begin() -> None:
        _put_off(run, asked)
        await run.on_loop(code.threads)

    await code.on_loop(key, begin, within=None if left is None else left + _GRACE)


def _put_off(run: Run, asked: float) -> None:
    """The wait for a place is no time of the execution."""
    if (waited := run.clock.monotonic() - asked) > _SHORT_WAIT:
        run.put_off(waited)
