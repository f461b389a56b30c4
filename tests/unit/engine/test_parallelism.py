"""Several tasks at one moment. The event loop is virtual: what happens when depends on nothing but the code."""

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest

from execloop import Execution, ExecutionTimeout, Executor, Options, ToleranceExceeded, run, task
from execloop._engine.execution import Again, Failed, Interrupted, Outcome
from execloop._engine.run import Run
from execloop._engine.walk import Stop
from execloop.testing import FakeClock
from tests.engine_model import creating
from tests.engine_schedule import Job, options, perform_all
from tests.virtual_time import run_virtually

# -- one at a time


def test_one_at_a_time_keeps_strict_order() -> None:
    schedule, _, _ = perform_all((Job(5, (Job(3),)), Job(1)), options(1))
    assert schedule.started() == {"0": 0, "0.0": 5, "1": 8}


# -- children


def test_children_start_when_their_parent_has_finished_not_when_its_siblings_have() -> None:
    schedule, _, _ = perform_all((Job(1, (Job(1),)), Job(100)), options(2))
    assert schedule.started() == {"0": 0, "1": 0, "0.0": 1}


def test_siblings_and_cousins_share_the_limit() -> None:
    family = (Job(1, (Job(9), Job(9))), Job(2, (Job(9), Job(9))))
    schedule, _, _ = perform_all(family, options(3))
    assert schedule.started() == {"0": 0, "1": 0, "0.0": 1, "0.1": 1, "1.0": 2, "1.1": 10}


# -- the end


def test_after_a_fatal_error_nothing_starts_and_what_runs_is_awaited() -> None:
    schedule, _, outcome = perform_all((Job(1, error="fatal"), Job(50, (Job(1),)), Job(1)), options(2))
    assert isinstance(outcome, Failed)
    assert schedule.log == [(0, "start", "0"), (0, "start", "1"), (50, "end", "1")]


def test_every_error_of_those_still_running_is_counted_and_reported() -> None:
    schedule, one, outcome = perform_all(
        (Job(1, error="plain"), Job(2, error="plain"), Job(3, error="plain"), Job(1)), options(3, tolerated=0)
    )
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ToleranceExceeded)
    assert schedule.errors == len(one.records) == 3
    assert "3" not in schedule.started()


def test_a_fatal_error_of_one_still_running_outranks_the_spent_budget() -> None:
    _, _, outcome = perform_all((Job(1, error="plain"), Job(2, error="fatal")), options(2, tolerated=0))
    assert isinstance(outcome, Failed)
    assert str(outcome.error) == "no"


def test_errors_are_reported_in_the_order_of_the_tree_whatever_ended_first() -> None:
    jobs = (Job(9, error="plain"), Job(1, (Job(4, error="plain"), Job(2, error="plain"))), Job(3, error="plain"))
    _, one, _ = perform_all(jobs, options(4))
    assert [record.path.positions for record in one.records] == [(0,), (1, 0), (1, 1), (2,)]


def test_at_the_deadline_all_that_run_are_cancelled() -> None:
    schedule, _, outcome = perform_all((Job(5), Job(50), Job(60), Job(1)), options(2, timeout=20))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ExecutionTimeout)
    assert schedule.log[-1] == (5, "start", "2")


def test_a_stop_starts_nothing_more_and_awaits_what_runs() -> None:
    schedule, _, outcome = perform_all((Job(5, error="stop"), Job(50), Job(1)), options(2), Stop())
    assert outcome == Interrupted(outcome.execution)
    assert schedule.log[-1] == (50, "end", "1")
    assert "2" not in schedule.started()


def test_an_expired_stop_abandons_all_that_run() -> None:
    stop, fate = Stop(), list[str]()

    async def expire() -> None:
        await asyncio.sleep(1)
        stop.expire()

    async def wait() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            fate.append(f"cancelled at {clock.now():g}")

    async def create() -> Any:
        return [task("wait", wait), task("expire", expire)]

    clock = FakeClock()
    one = Run(creating(create), Execution(), options(2), clock=clock, stop=stop)
    run_virtually(clock, one.on_loop)
    assert isinstance(one.finish(), Failed)
    assert fate == ["cancelled at 1"]


# -- what is no error of a task


class Boom(BaseException):
    pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, Boom])
def test_what_is_not_an_exception_cancels_the_others_and_is_raised_uncounted(error: type[BaseException]) -> None:
    fate: list[str] = []

    async def raises() -> None:
        await asyncio.sleep(1)
        raise error

    async def waits() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            fate.append("cancelled")
            raise

    async def create() -> Any:
        return [task("raises", raises), task("waits", waits), task("never", lambda: fate.append("started"))]

    clock = FakeClock()
    one = Run(creating(create), Execution(), options(2), clock=clock)
    with pytest.raises(error):
        run_virtually(clock, one.on_loop)
    assert fate == ["cancelled"]
    assert one.walk is not None
    assert one.walk.errors == 0


def test_an_exit_from_a_task_that_is_being_cancelled_is_not_swallowed() -> None:
    async def leaves() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise SystemExit(3)

    async def create() -> Any:
        return [task("leaves", leaves), task("other", leaves)]

    clock = FakeClock()
    one = Run(creating(create), Execution(), options(2, timeout=10), clock=clock)
    with pytest.raises(SystemExit):
        run_virtually(clock, one.on_loop)


# -- blocking tasks, in real threads


def meeting(parties: int) -> tuple[Any, Counter[str]]:
    """Tasks that only end when so many of them are under way at one moment."""
    barrier, lock, running = threading.Barrier(parties), threading.Lock(), Counter[str]()

    def perform() -> None:
        with lock:
            running["now"] += 1
            running["most"] = max(running["most"], running["now"])
        barrier.wait(timeout=60)
        with lock:
            running["now"] -= 1

    tasks = [task(f"t{number}", perform) for number in range(3 * parties)]
    return creating(lambda: tasks.copy() if not running else None), running


def test_blocking_tasks_run_in_n_threads() -> None:
    plan, running = meeting(5)
    report = run(plan, parallelism=5, sleep_between_runs=0)
    assert running["most"] == 5
    assert (report.tasks, report.error_count) == (15, 0)


def test_blocking_and_awaiting_phases_of_one_task_go_together() -> None:
    seen: list[tuple[str, bool]] = []
    main = threading.get_ident()

    def note(phase: str) -> None:
        seen.append((phase, threading.get_ident() == main))

    async def perform() -> None:
        note("perform")

    mixed = task("mixed", perform, pre=lambda: note("pre"), post=lambda: note("post"))
    outcome = asyncio.run(_one_run([mixed], options(2)))
    assert isinstance(outcome, Again)
    assert seen == [("pre", False), ("perform", True), ("post", False)]


async def _one_run(tasks: list[Any], options: Options) -> Outcome:
    one = Run(creating(lambda: tasks), Execution(), options)
    await one.on_loop()
    return one.finish()


def test_errors_of_one_moment_are_all_counted_and_nothing_starts_after_the_one_too_many() -> None:
    barrier = threading.Barrier(4)

    def fail() -> None:
        barrier.wait(timeout=60)
        raise OSError("down")

    tasks = [task(f"t{number}", fail) for number in range(8)]
    executor = Executor(options(4, tolerated=0))
    with pytest.raises(ToleranceExceeded, match="1 errors, 0 tolerated"):
        executor.run(creating(lambda: tasks))
    assert executor.report.error_count == executor.report.tasks == 4


async def _unawaited() -> None:
    raise AssertionError("nobody awaits it")


@pytest.mark.parametrize(
    "tasks",
    [lambda: [task("later", _unawaited)], lambda: [task("first", lambda: [task("later", _unawaited)])]],
    ids=["task", "child"],
)
def test_an_async_task_in_a_sync_run_is_refused_here_too(tasks: Any) -> None:
    with pytest.raises(TypeError, match=r"the task 'later' is asynchronous: use arun\(\)"):
        run(creating(tasks), parallelism=2)
