"""Run plan code for the operator: ask a plan what it needs (`observe`), or drive a run (`drive`).

`reconcile.execution.runs` calls it. Every way in which that can end is a frozen value.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from execloop._engine.errors import FatalError
from execloop._engine.execution import Again, CreateFailed, Execution, Failed, Interrupted, Outcome
from execloop._engine.options import Options
from execloop._engine.returned import NotTasks, take_created
from execloop._engine.run import Run, out_of_time
from execloop._engine.runtime.clock import SYSTEM_CLOCK
from execloop._engine.tasks import AnyTask, Children, is_async, needs_approval
from execloop._engine.waits import Wait, waits_of
from execloop.controller.plancode.asked import Asked, ask
from execloop.controller.plancode.call import CALL
from execloop.controller.plancode.construction import DeferredPlan, Refusal
from execloop.controller.plancode.errors import Escaped, NotNow, OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from execloop._engine.events import Event
    from execloop._engine.plan import Plan
    from execloop._engine.walk import Stop, Withhold
    from execloop.controller.plancode.host import PlanHost
    from execloop.controller.watch.cache import Key

__all__ = [
    "Cancelled",
    "NextLook",
    "Nothing",
    "Observed",
    "Postponed",
    "Prepared",
    "Refused",
    "RunResult",
    "TasksLeft",
    "drive",
    "observe",
]

_SHORT_WAIT = 1.0
_GRACE = 1.0


@dataclass(frozen=True, slots=True)
class Nothing:
    """`create()` returned no task, and no wait."""


@dataclass(frozen=True, slots=True)
class TasksLeft:
    """`create()` returned these."""

    tasks: tuple[AnyTask, ...]
    waits: tuple[Wait, ...] = ()
    asked: tuple[Asked, ...] = ()
    """What those tasks say of themselves that were asked."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """Not an error of the plan: what was asked for begins again, uncounted. Nothing of it has counted until now.

    Ask again after `after` seconds; `PlanHost` tells earlier (`on_free`) when what stood in the way has gone.
    """

    message: str
    after: float = 1.0


@dataclass(frozen=True, slots=True)
class Refused:
    """The parameters do not fit the plan's model: which field, and which rule."""

    message: str


class Cancelled(Exception):
    """Plan code raised CancelledError, though nothing had cancelled it."""

    def __init__(self) -> None:
        super().__init__("the plan's code raised CancelledError")


class RunResult(NamedTuple):
    """How an attempt at a run ended."""

    outcome: Outcome | Postponed | Refused
    names: tuple[str, ...] = ()
    """The tasks that worked, as they may be shown: what ended in a wait is not among them."""
    last_error: str | None = None
    """The last error of a task, as it may be shown."""
    attempted: int = 0
    """Tasks, those that failed among them."""
    failed: int = 0
    withheld: tuple[Asked, ...] = ()
    """The tasks that did not run because they need an approval."""
    covered: tuple[Asked, ...] = ()
    """The tasks that an approval of their own let run."""
    looked: Observed | None = None
    """What the plan asks for after this run, where it was asked at once."""


Observed: TypeAlias = Nothing | TasksLeft | Postponed | Refused | CreateFailed | Failed | Interrupted


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that was asked already."""

    name: str
    tasks: tuple[AnyTask, ...]
    waits: tuple[Wait, ...] = ()

    def create(self) -> Children:
        return *self.tasks, *self.waits


async def observe(
    code: PlanHost,
    key: Key,
    plan: Plan,
    execution: Execution,
    options: Options | None = None,
    *,
    left: float | None = None,
    asks: Callable[[AnyTask], bool] = needs_approval,
) -> Observed:
    """Ask a plan, and run nothing; it may take `left` seconds, not counting the wait for a place.

    `asks` tells the tasks whose details are read too.
    """

    async def awaited() -> Nothing | TasksLeft:
        return _taken(plan, await cast("Any", plan.create()), asks)

    left = _left(execution, options) if left is None and options is not None else left
    try:
        if is_async(plan.create):
            await _prepare(code, key, plan, left)
            return await code.on_loop(key, awaited, within=left)
        return await code.call(key, lambda: _taken(plan, plan.create(), asks), within=left)
    except NotNow as reason:
        return Postponed(str(reason), reason.after)
    except OutOfTime:
        return Failed(execution, out_of_time(options or Options()))
    except Exception as error:  # noqa: BLE001 - any error of the plan's code
        return _unanswered(execution, error)


@dataclass(slots=True)
class NextLook:
    """After a run the plan is asked again at once, where its code runs anyway.

    `of` returns the plan to ask and its execution; None where the next run has more to do before its tasks. `asks` as
    for `observe`; `asynchronous` says how the plan is asked. `found` is its answer, None when it was not asked.
    """

    of: Callable[[Run], tuple[DeferredPlan, Execution] | None]
    asks: Callable[[AnyTask], bool]
    asynchronous: bool
    found: Observed | None = None

    def blocking(self, run: Run) -> None:
        """Ask a sync plan, on this thread."""
        if self.asynchronous or (asked := self.of(run)) is None:
            return
        plan, execution = asked
        try:
            self.found = _taken(plan, plan.create(), self.asks)
        except BaseException as error:  # noqa: BLE001 - as `PlanHost.call` raises it
            self.found = _unanswered(execution, error if isinstance(error, Exception) else Escaped(error))

    async def awaiting(self, run: Run) -> None:
        """Ask an async plan, on this loop, unless the run has left tasks behind: they end first."""
        call = CALL.get()
        alone = call is None or len(call.tasks) <= 1
        if not (self.asynchronous and alone) or (asked := self.of(run)) is None:
            return
        plan, execution = asked
        if not plan.prepare_here():
            return
        try:
            self.found = _taken(plan, await cast("Any", plan.create()), self.asks)
        except BaseException as error:
            if _being_cancelled():
                raise
            self.found = _unanswered(execution, error if isinstance(error, Exception) else Escaped(error))


def _taken(plan: Plan, created: object, asks: Callable[[AnyTask], bool]) -> Nothing | TasksLeft:
    found = take_created(created, lambda: f"create() of the plan {getattr(plan, 'name', '')!r}")
    if not found.tasks and not found.waits:
        return Nothing()
    return TasksLeft(found.tasks, found.waits, tuple(ask(one) for one in found.tasks if asks(one)))


def _unanswered(execution: Execution, error: Exception) -> Refused | TasksLeft | CreateFailed | Failed:
    if isinstance(error, Refusal):
        return Refused(str(error))
    waits = waits_of(error)
    return TasksLeft((), waits) if waits else _not_created(execution, error)


def _left(execution: Execution, options: Options) -> float | None:
    """Return the seconds to the deadline by the system's clock, for a caller without a clock of its own."""
    if options.timeout is None or execution.started_at is None:
        return options.timeout
    return max(0.0, execution.deadline(options.timeout) - SYSTEM_CLOCK.now())


async def _prepare(code: PlanHost, key: Key, plan: Plan, left: float | None) -> None:
    """Validate the parameters of an async plan; a model with code in a thread, so that it cannot hold any loop up."""
    if isinstance(plan, DeferredPlan) and not plan.prepare_here():
        await code.call(key, plan.prepare, within=left)


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


def _fatal(error: BaseException) -> FatalError:
    cause = _cause(error)
    fatal = FatalError(f"the plan's code raised {type(cause).__name__}: {cause}")
    fatal.__cause__ = cause
    return fatal


def _cause(error: BaseException) -> BaseException:
    return error.__cause__ if isinstance(error, Escaped) and error.__cause__ is not None else error


def _classified(error: BaseException) -> Exception:
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
    code: PlanHost,
    key: Key,
    plan: Plan,
    execution: Execution,
    options: Options,
    stop: Stop,
    *,
    left: float | None = None,
    failed: Callable[[], None] | None = None,
    notify: Callable[[Event], None] | None = None,
    withhold: Withhold | None = None,
    then: NextLook | None = None,
) -> tuple[Run, Coroutine[Any, Any, Outcome | Postponed | Refused]]:
    """Return the run, and what drives it; progress can be read from the run meanwhile.

    `left` are the seconds to the deadline, else the system's clock says how many. `failed` is called at each error, in
    whatever thread it happens, and `notify` with each event. `withhold` tells the tasks that must not run now. `then`
    asks the plan again.
    """

    def classify(error: BaseException) -> Exception:
        counted = _classified(error)
        if failed is not None:
            failed()
        return counted

    left = _left(execution, options) if left is None else left
    deadline = None if left is None else SYSTEM_CLOCK.monotonic() + left
    run = Run(
        plan, execution, options, stop=stop, notify=notify, classify=classify, deadline=deadline, withhold=withhold
    )
    return run, _outcome(code, key, run, left, then)


async def _outcome(
    code: PlanHost, key: Key, run: Run, left: float | None, then: NextLook | None
) -> Outcome | Postponed | Refused:
    """Drive a run to its end, and return how it ended."""
    try:
        await _drive(code, key, run, left, then)
    except NotNow as reason:
        run.abandon()
        return Postponed(str(reason), reason.after)
    except Refusal as error:
        return Refused(str(error))
    except OutOfTime:
        run.abandon()
        if isinstance(ended := run.settle(), Again):  # the run was in time, and the look after it was not
            return Failed(ended.execution, out_of_time(run.options))
    except Escaped as error:
        run.abandon()
        return Failed(run.execution, _fatal(error))
    outcome = run.settle()
    if isinstance(outcome, CreateFailed) and isinstance(outcome.error, Refusal):
        return Refused(str(outcome.error))
    return outcome


async def _drive(code: PlanHost, key: Key, run: Run, left: float | None, then: NextLook | None) -> None:
    if is_async(run.plan.create):
        await _prepare(code, key, run.plan, left)
    elif await _blocking(code, key, run, left, then):
        return
    await _awaiting(code, key, run, left, then)


async def _blocking(code: PlanHost, key: Key, run: Run, left: float | None, then: NextLook | None) -> bool:
    """Drive in a thread until the deadline; return whether that was all."""
    asked = run.clock.monotonic()

    def begin() -> bool:
        _put_off(run, asked)
        finished = run.blocking()
        if finished and then is not None:
            then.blocking(run)
        return finished

    return await code.call(key, begin, within=left)


async def _awaiting(code: PlanHost, key: Key, run: Run, left: float | None, then: NextLook | None) -> None:
    """Drive on the plans' loop. The run itself ends at its deadline; code that eats its cancellation is left then."""
    asked = run.clock.monotonic()

    async def begin() -> None:
        _put_off(run, asked)
        await run.on_loop(code.threads)
        if then is not None:
            await then.awaiting(run)

    await code.on_loop(key, begin, within=None if left is None else left + _GRACE)


def _put_off(run: Run, asked: float) -> None:
    """The wait for a worker does not count as time of the execution."""
    if (waited := run.clock.monotonic() - asked) > _SHORT_WAIT:
        run.put_off(waited)
