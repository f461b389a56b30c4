"""`execution_timeout`, wherever it falls. Time is fake; where a thread must really block, it waits for the test."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

from execloop import Execution, ExecutionTimeout, Executor, Options, task
from execloop._engine.events import Event, GaveUp
from execloop._engine.execution import Again, Converged, Failed, Outcome
from execloop._engine.run import Run, step
from execloop._engine.runtime.clock import SYSTEM_CLOCK
from execloop.testing import FakeClock
from tests.engine_model import PHASES, Flavour, Phase, creating, one_run
from tests.virtual_time import run_virtually

TEN = Options(sleep_between_runs=0, errors_to_tolerate=None, execution_timeout=10)

phases = pytest.mark.parametrize("phase", PHASES)
pure_flavours = pytest.mark.parametrize("flavour", ["calls", "awaits", "threads"])


class Scene:
    """Two tasks, the first of which has a child; something happens in one call."""

    def __init__(self, where: str, what: Callable[[], Any], flavour: Flavour = "calls") -> None:
        self.where, self.what, self.flavour = where, what, flavour
        self.calls: list[str] = []
        self.create = self._acreate if flavour == "awaits" else self._create

    def _create(self) -> Any:
        self._note("create")
        return [self._task("a"), self._task("b")]

    async def _acreate(self) -> Any:
        result = self._create()
        if self.where == "create":
            await asyncio.sleep(0)
        return result

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.where:
            self.what()

    def _task(self, name: str) -> Any:
        pre, perform, post = (self._phase(name, phase) for phase in PHASES)
        return task(name, perform, pre=pre, post=post)

    def _phase(self, name: str, phase: Phase) -> Callable[[], Any]:
        def call() -> Any:
            self._note(f"{name}.{phase}")
            return [self._task("child")] if (name, phase) == ("a", "perform") else None

        async def acall() -> Any:
            return call()

        return acall if self.flavour == "awaits" else call


IN_ORDER = ["create", *(f"{name}.{phase}" for name in ("a", "child", "b") for phase in PHASES)]


def is_timeout(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and isinstance(outcome.error, ExecutionTimeout)


# -- where it falls


@pure_flavours
@pytest.mark.parametrize("where", IN_ORDER)
def test_after_the_call_in_which_the_deadline_falls_no_other_is_made(where: str, flavour: Flavour) -> None:
    clock = FakeClock()
    plan = Scene(where, lambda: clock.advance(10), flavour)
    outcome = one_run(plan, flavour, options=TEN, clock=clock)
    assert is_timeout(outcome)
    assert plan.calls == IN_ORDER[: IN_ORDER.index(where) + 1]


@pure_flavours
def test_a_call_that_ends_just_before_the_deadline_is_in_time(flavour: Flavour) -> None:
    clock = FakeClock()
    plan = Scene("b.post", lambda: clock.advance(9.99), flavour)
    assert isinstance(one_run(plan, flavour, options=TEN, clock=clock), Again)
    assert plan.calls == IN_ORDER


@pure_flavours
def test_it_is_measured_from_the_first_run_over_all_of_them(flavour: Flavour) -> None:
    clock = FakeClock(1000)
    plan = Scene("create", lambda: clock.advance(6), flavour)
    first = one_run(plan, flavour, options=TEN, clock=clock)
    assert isinstance(first, Again)
    assert is_timeout(one_run(plan, flavour, first.execution, TEN, clock=clock))


@pure_flavours
def test_past_the_deadline_the_plan_is_not_asked_again(flavour: Flavour) -> None:
    clock = FakeClock(1000)
    plan = creating(lambda: pytest.fail("it was asked"))
    assert is_timeout(one_run(plan, flavour, Execution(started_at=990), TEN, clock=clock))


def test_time_spent_paused_does_not_count() -> None:
    execution = Execution(started_at=900, paused=95)
    assert isinstance(step(creating(list), execution, TEN, clock=FakeClock(1000)), Converged)
    assert is_timeout(step(creating(list), execution, TEN, clock=FakeClock(1005)))


def test_an_error_that_the_deadline_overtakes_is_still_counted() -> None:
    clock = FakeClock()

    def fail() -> None:
        clock.advance(10)
        raise OSError("down")

    outcome = step(creating(lambda: [task("a", fail)]), Execution(), TEN, clock=clock)
    assert is_timeout(outcome)
    assert outcome.execution.errors == 1


@pure_flavours
def test_an_error_of_create_that_comes_too_late_changes_nothing(flavour: Flavour) -> None:
    clock = FakeClock()

    def fail() -> None:
        clock.advance(10)
        raise OSError("down")

    async def afail() -> None:
        fail()

    plan = creating(afail if flavour == "awaits" else fail)
    assert is_timeout(one_run(plan, flavour, options=TEN, clock=clock))


# -- the executor


@pytest.mark.parametrize("how", ["run", "arun"])
def test_it_can_fall_into_the_sleep_which_is_cut_short(how: str) -> None:
    clock = FakeClock()
    executor = Executor(Options(sleep_between_runs=7, execution_timeout=10), clock=clock)
    plan = creating(lambda: [task("a", lambda: None)])
    with pytest.raises(ExecutionTimeout, match="not converged within 10 seconds") as caught:
        executor.run(plan) if how == "run" else asyncio.run(executor.arun(plan))
    assert isinstance(caught.value, TimeoutError)
    assert clock.sleeps == [7, 3]
    assert caught.value.report == executor.report
    assert (executor.report.runs, executor.report.duration) == (2, 10)


def test_a_wall_clock_that_jumps_ends_nothing() -> None:
    class Jumping(FakeClock):
        jump = 0.0

        def now(self) -> float:
            return super().now() + self.jump

    clock, runs = Jumping(), []

    def create() -> Any:
        runs.append(1)
        clock.jump += 86_400
        return [task("a", lambda: None)] if len(runs) < 3 else None

    assert Executor(TEN, clock=clock).run(creating(create)).runs == 3


def test_an_execution_that_goes_on_keeps_its_deadline() -> None:
    clock = FakeClock(1000)
    executor = Executor(Options(sleep_between_runs=1, execution_timeout=10), clock=clock)
    with pytest.raises(ExecutionTimeout):
        executor.run(creating(lambda: [task("a", lambda: None)]), execution=Execution(started_at=994))
    assert clock.now() == 1004


@pytest.mark.parametrize("how", ["run", "arun"])
def test_giving_up_is_told_once(how: str) -> None:
    clock, events = FakeClock(), list[Event]()
    executor = Executor(TEN, clock=clock, listeners=[events.append])
    plan = Scene("a.perform", lambda: clock.advance(10))
    with pytest.raises(ExecutionTimeout):
        executor.run(plan) if how == "run" else asyncio.run(executor.arun(plan))
    assert [type(event) for event in events].count(GaveUp) == 1


# -- a blocked call is left to itself


class Handmade(FakeClock):
    """A deadline that falls when the test says, while the work really goes on in a thread of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.falls = threading.Event()
        self.thread = threading.Thread()

    def run_until(self, timeout: float, work: Callable[[], None], expire: Callable[[], None]) -> bool:
        falls, ended = self.falls, threading.Event()

        def supervised() -> None:
            work()
            ended.set()
            falls.set()

        self.thread = threading.Thread(target=supervised, daemon=True)
        self.thread.start()
        assert falls.wait(60)
        if ended.is_set():
            return True
        expire()
        return False


@pytest.mark.parametrize("where", IN_ORDER)
def test_the_caller_does_not_wait_for_a_blocked_call_and_nothing_follows_from_it(where: str) -> None:
    clock, release, events = Handmade(), threading.Event(), list[Event]()

    def block() -> None:
        clock.falls.set()
        assert release.wait(60)

    plan = Scene(where, block)
    executor = Executor(TEN, clock=clock, listeners=[events.append])
    with pytest.raises(ExecutionTimeout):
        executor.run(plan)
    report, told = executor.report, len(events)
    release.set()
    clock.thread.join(60)
    assert plan.calls == IN_ORDER[: IN_ORDER.index(where) + 1]
    assert executor.report == report
    assert len(events) == told
    assert isinstance(events[-1], GaveUp)


def test_an_executor_can_be_used_again_while_an_old_call_still_blocks() -> None:
    clock, release = Handmade(), threading.Event()

    def block() -> None:
        clock.falls.set()
        assert release.wait(60)

    executor = Executor(TEN, clock=clock)
    with pytest.raises(ExecutionTimeout):
        executor.run(Scene("a.perform", block))
    old, clock.falls = clock.thread, threading.Event()

    def unblock() -> Any:
        release.set()
        old.join(60)

    assert executor.run(creating(unblock)).runs == 1
    assert executor.report.tasks == 0


def test_a_thread_that_sleeps_at_the_deadline_is_woken_and_ends() -> None:
    class Sleepy(Handmade):
        def sleep(self, seconds: float, wake: threading.Event) -> None:
            self.falls.set()
            woken.append(wake.wait(60))

    clock, woken = Sleepy(), list[bool]()
    with pytest.raises(ExecutionTimeout):
        Executor(TEN, clock=clock).run(creating(lambda: [task("a", lambda: None)]))
    clock.thread.join(60)
    assert woken == [True]


def test_with_a_deadline_the_work_is_done_in_a_thread_with_the_callers_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("the caller's")
    seen: list[tuple[bool, str]] = []

    def note() -> None:
        seen.append((threading.current_thread() is threading.main_thread(), variable.get()))

    for timeout in (10, None):
        Executor(Options(execution_timeout=timeout)).run(creating(note))
    assert seen == [(False, "the caller's"), (True, "the caller's")]


# -- awaiting


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("where", ["create", "pre", "perform", "post"])
def test_an_async_call_that_waits_is_cancelled_at_the_deadline(where: str) -> None:
    clock, fate = FakeClock(), list[str]()

    async def wait() -> None:
        try:
            await _forever()
        except asyncio.CancelledError:
            fate.append(f"cancelled at {clock.now():g}")
            raise

    async def go() -> None:
        fate.append("went")

    phases: dict[str, Any] = {phase: wait if phase == where else go for phase in PHASES}

    async def create() -> Any:
        if where == "create":
            await wait()
        return [task("a", phases["perform"], pre=phases["pre"], post=phases["post"]), task("b", go)]

    one = Run(creating(create), Execution(), TEN, clock=clock)
    run_virtually(clock, one.on_loop)
    assert is_timeout(one.finish())
    assert fate[-1] == "cancelled at 10"
    assert len(fate) == max(1, ["create", *PHASES].index(where))


def test_an_async_task_that_refuses_to_be_cancelled_is_awaited_and_nothing_follows() -> None:
    clock, fate = FakeClock(), list[str]()

    async def stubborn() -> Any:
        try:
            await _forever()
        except asyncio.CancelledError:
            await asyncio.sleep(5)
        fate.append(f"ended at {clock.now():g}")
        return [task("child", stubborn)]

    async def create() -> Any:
        return [task("a", stubborn), task("b", stubborn)]

    one = Run(creating(create), Execution(), TEN, clock=clock)
    run_virtually(clock, one.on_loop)
    assert is_timeout(one.finish())
    assert fate == ["ended at 15"]


def test_code_that_blocks_the_event_loop_cannot_hold_the_deadline_up() -> None:
    """No timer of the loop itself could fall while a coroutine never waits for anything."""
    blocks, falls = threading.Event(), threading.Event()

    class Alarmed(FakeClock):
        def alarm(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
            def ring() -> None:
                blocks.wait(60)
                callback()
                falls.set()

            SYSTEM_CLOCK.alarm(0.0, ring)
            return lambda: None

    async def block() -> None:
        blocks.set()
        assert falls.wait(60)

    async def create() -> Any:
        return [task("a", block), task("b", block)]

    one = Run(creating(create), Execution(), TEN, clock=Alarmed())
    asyncio.run(one.on_loop())
    assert is_timeout(one.finish())
    assert one.walk is not None
    assert one.walk.count == 1


def test_abandoning_a_run_from_elsewhere_cancels_what_waits() -> None:
    one = Run(creating(_forever), Execution(), Options(execution_timeout=None))

    async def main() -> None:
        asyncio.get_running_loop().call_soon(one.abandon)
        await one.on_loop()

    asyncio.run(main())
    outcome = one.finish()
    assert isinstance(outcome, Failed)
    assert str(outcome.error) == "not converged when it was abandoned"
