"""The loop around the runs: sleeping, asking again, reporting, and letting go."""

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

import execloop
from execloop import (
    Execution,
    ExecutionTimeout,
    Executor,
    FatalError,
    Options,
    Report,
    ToleranceExceeded,
    arun,
    run,
    task,
)
from execloop._engine.events import (
    ConvergedEvent,
    Event,
    GaveUp,
    RunFinished,
    RunStarted,
    TaskFailed,
    TaskFinished,
    TaskStarted,
)
from execloop.testing import FakeClock, ScriptedPlan
from tests.engine_model import Model, Playback, Script, creating, options, scripts

Drive = Callable[[Executor, Any], Report]
DRIVES: dict[str, Drive] = {
    "run": lambda executor, plan: executor.run(plan),
    "arun": lambda executor, plan: asyncio.run(executor.arun(plan)),
}
drives = pytest.mark.parametrize("drive", DRIVES.values(), ids=DRIVES)

FOREVER = Options(sleep_between_runs=1, errors_to_tolerate=None, execution_timeout=None)


def fail() -> None:
    raise OSError("down")


# -- the loop


@drives
def test_it_runs_sleeps_and_asks_until_nothing_is_needed(drive: Drive) -> None:
    clock = FakeClock()
    plan = ScriptedPlan(["a", "b"], ["b"])
    report = drive(Executor(Options(sleep_between_runs=3), clock=clock), plan)
    assert plan.performed == ["a", "b", "b"]
    assert clock.sleeps == [3, 3]
    assert (report.runs, report.tasks, report.error_count, report.errors) == (3, 3, 0, ())
    assert report.duration == 6


@drives
def test_there_is_no_sleep_after_convergence(drive: Drive) -> None:
    clock = FakeClock()
    assert drive(Executor(clock=clock), ScriptedPlan()).runs == 1
    assert clock.sleeps == []


@drives
def test_errors_are_in_the_report_with_path_phase_and_exception(drive: Drive) -> None:
    error = OSError("down")
    report = drive(Executor(clock=FakeClock()), ScriptedPlan({"a": {"b": error}}))
    (record,) = report.errors
    assert (str(record.path), record.phase, record.exception) == ("a[0]/b[0]", "perform", error)
    assert str(record) == "a[0]/b[0] perform: OSError: down"
    assert str(report) == "2 runs, 2 tasks, 1 errors in 1.0 s"


@drives
def test_the_report_keeps_the_last_thousand_errors_and_counts_them_all(drive: Drive) -> None:
    many = {f"t{number}": OSError(str(number)) for number in range(1_500)}
    report = drive(Executor(FOREVER, clock=FakeClock()), ScriptedPlan(many, ["again"]))
    assert report.error_count == 1_500
    assert [str(record.exception) for record in report.errors] == [str(number) for number in range(500, 1_500)]


@drives
def test_each_execution_starts_with_a_budget_of_its_own(drive: Drive) -> None:
    executor = Executor(Options(errors_to_tolerate=1, sleep_between_runs=0), clock=FakeClock())
    for _ in range(3):
        assert drive(executor, ScriptedPlan({"a": OSError("down")})).error_count == 1


@drives
@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (lambda: ScriptedPlan(OSError("no world")), OSError),
        (lambda: ScriptedPlan({"a": FatalError("no")}), FatalError),
        (lambda: ScriptedPlan({"a": OSError("down")}), ToleranceExceeded),
        (lambda: creating(lambda: 5), TypeError),
    ],
    ids=["create", "fatal", "budget", "not tasks"],
)
def test_what_ends_an_execution_is_raised(drive: Drive, plan: Any, error: type[Exception]) -> None:
    executor = Executor(Options(errors_to_tolerate=0), clock=FakeClock())
    with pytest.raises(error) as caught:
        drive(executor, plan())
    if isinstance(caught.value, execloop.ExecloopError):
        assert caught.value.report == executor.report


@drives
def test_an_error_of_create_is_raised_as_it_is(drive: Drive) -> None:
    error = LookupError("no world")
    with pytest.raises(LookupError) as caught:
        drive(Executor(clock=FakeClock()), ScriptedPlan(error))
    assert caught.value is error


@settings(max_examples=200, deadline=None)
@given(scripts, options)
def test_the_report_agrees_with_the_model(script: Script, options: Options) -> None:
    model = Model(script, options)
    expected = model.interpret()
    for name, drive in DRIVES.items():
        clock = FakeClock()
        executor = Executor(options, clock=clock)
        plan = Playback(script, "calls" if name == "run" else "awaits", clock)
        try:
            drive(executor, plan)
            end: tuple[str, object] = ("converged", None)
        except ToleranceExceeded:
            end = ("exceeded", executor.report.error_count)
        except FatalError as error:
            end = ("fatal", str(error))
        except ExecutionTimeout:
            end = ("timeout", None)
        assert (end, plan.calls) == (expected.end, expected.calls)
        report, state = executor.report, executor.execution
        assert (report.runs, report.tasks, report.error_count) == (expected.runs, model.tasks, expected.errors)
        assert (state.runs, state.errors) == (expected.runs, expected.errors)
        assert len(report.errors) == expected.errors
        assert report.duration == pytest.approx(model.now)


@drives
@pytest.mark.parametrize("parallelism", [1, 3])
def test_memory_does_not_grow_with_the_runs(drive: Drive, parallelism: int) -> None:
    used: list[int] = []
    runs = iter(range(1500))

    def create() -> Any:
        number = next(runs)
        if number % 300 == 299:  # by then there are as many errors as are kept
            gc.collect()
            used.append(tracemalloc.get_traced_memory()[0])
        return [task("a", fail)] * 4 + [task("b", lambda: [task("c", lambda: None)])] if number < 1499 else None

    tracemalloc.start()
    try:
        report = drive(Executor(replace(FOREVER, sleep_between_runs=0, parallelism=parallelism)), creating(create))
    finally:
        tracemalloc.stop()
    assert (report.runs, report.error_count, len(report.errors)) == (1500, 4 * 1499, 1_000)
    grown = [after - before for before, after in pairwise(used[1:])]
    assert min(grown) < 15_000  # what leaks with each run grows every time; other threads are at work here too


# -- stopping, and going on


@drives
def test_a_stop_ends_it_at_the_next_task_boundary_with_a_report(drive: Drive) -> None:
    executor = Executor(clock=FakeClock())
    report = drive(executor, creating(lambda: [task("a", executor.stop), task("b", fail)]))
    assert (report.runs, report.tasks, report.error_count) == (1, 1, 0)


@drives
def test_a_stop_during_the_sleep_ends_the_sleep(drive: Drive) -> None:
    class Interrupting(FakeClock):
        def sleep(self, seconds: float, wake: threading.Event) -> None:
            executor.stop()
            super().sleep(seconds, wake)

        async def asleep(self, seconds: float, wake: asyncio.Event) -> None:
            executor.stop()
            await super().asleep(seconds, wake)

    clock = Interrupting()
    executor = Executor(FOREVER, clock=clock)
    assert drive(executor, creating(lambda: [task("a", lambda: None)])).runs == 1
    assert clock.now() == 0


def test_an_execution_that_was_stopped_goes_on_with_its_errors() -> None:
    executor = Executor(Options(errors_to_tolerate=1), clock=FakeClock())
    executor.run(creating(lambda: [task("a", fail), task("b", executor.stop), task("c", fail)]))
    stopped = Execution.from_dict(executor.execution.to_dict())
    assert (stopped.runs, stopped.errors) == (1, 1)
    with pytest.raises(ToleranceExceeded, match="2 errors, 1 tolerated"):
        executor.run(creating(lambda: [task("a", fail)]), execution=stopped)
    assert executor.execution.id == stopped.id
    assert executor.report.error_count == 1


def test_stopping_what_has_ended_does_nothing() -> None:
    executor = Executor()
    executor.stop()
    asyncio.run(executor.arun(ScriptedPlan()))
    executor.stop()
    assert executor.run(ScriptedPlan()).runs == 1


# -- the report at any moment


@drives
def test_the_report_can_be_read_while_a_task_runs(drive: Drive) -> None:
    executor = Executor(Options(sleep_between_runs=0), clock=FakeClock())
    reports: list[Report] = []

    def read() -> None:
        reports.append(executor.report)

    tasks = iter([[task("a", fail), task("b", lambda: [task("child", read)]), task("c", read)]])
    drive(executor, creating(lambda: next(tasks, None)))
    assert [(report.runs, report.tasks, report.error_count) for report in reports] == [(1, 3, 1), (1, 4, 1)]


def test_before_any_execution_the_report_is_empty() -> None:
    assert Executor(clock=FakeClock()).report == Report(0, 0, 0, (), 0.0)


def test_a_listener_that_reads_the_report_sees_the_run_that_has_just_finished() -> None:
    seen: list[int] = []
    executor = Executor(clock=FakeClock(), listeners=[lambda _: seen.append(executor.report.runs)])
    executor.run(ScriptedPlan(["a"]))
    assert seen == [1, 1, 1, 1, 2]


# -- events


@drives
def test_everything_that_happens_is_told_in_order(drive: Drive) -> None:
    events: list[Event] = []
    executor = Executor(Options(errors_to_tolerate=2), clock=FakeClock(), listeners=[events.append])
    drive(executor, ScriptedPlan({"a": ["b"], "c": OSError("down")}))
    kinds = [RunStarted, TaskStarted, TaskFinished, TaskStarted, TaskFinished, TaskStarted, TaskFailed, RunFinished]
    assert [type(event) for event in events] == [*kinds, ConvergedEvent]
    started, _, finished, child, _, _, failed, run_finished, converged = events
    assert isinstance(started, RunStarted)
    assert (started.tasks, started.errors_left) == (("a", "c"), 2)
    assert isinstance(finished, TaskFinished)
    assert (str(finished.path), finished.children) == ("a[0]", 1)
    assert isinstance(child, TaskStarted)
    assert child.path.parent is finished.path
    assert isinstance(failed, TaskFailed)
    assert (failed.phase, str(failed.error), failed.errors_left) == ("perform", "down", 1)
    assert isinstance(run_finished, RunFinished)
    assert (run_finished.delay, run_finished.execution.runs) == (1.0, 1)
    assert isinstance(converged, ConvergedEvent)
    assert converged.execution == executor.execution


@drives
def test_giving_up_is_told(drive: Drive) -> None:
    events: list[Event] = []
    executor = Executor(clock=FakeClock(), listeners=[events.append])
    with pytest.raises(FatalError):
        drive(executor, ScriptedPlan({"a": FatalError("no")}))
    last = events[-1]
    assert isinstance(last, GaveUp)
    assert (str(last.error), last.execution.errors) == ("no", 1)


# -- where the code runs


def test_without_a_deadline_all_is_done_on_the_callers_thread() -> None:
    threads: set[int] = set()
    run(creating(lambda: threads.add(threading.get_ident())), execution_timeout=None)
    assert threads == {threading.get_ident()}


def test_arun_awaits_on_the_callers_loop_and_calls_what_blocks_in_threads() -> None:
    main, seen = threading.get_ident(), dict[str, bool]()

    async def acreate() -> Any:
        seen["create"] = threading.get_ident() == main
        return [task("awaited", anote), task("called", note)] if len(seen) == 1 else None

    async def anote() -> None:
        seen["awaited"] = threading.get_ident() == main

    def note() -> None:
        seen["called"] = threading.get_ident() == main

    asyncio.run(arun(creating(acreate), sleep_between_runs=0))
    assert seen == {"create": True, "awaited": True, "called": False}


def test_a_sync_run_works_inside_a_running_event_loop() -> None:
    async def main() -> Report:
        return run(ScriptedPlan(["a"]), sleep_between_runs=0, parallelism=2)

    assert asyncio.run(main()).tasks == 1


# -- bad input


def test_an_executor_drives_one_plan_at_a_time() -> None:
    executor = Executor(clock=FakeClock())

    def again() -> None:
        executor.run(ScriptedPlan())

    with pytest.raises(RuntimeError, match="this executor is driving a plan already: make an executor for each"):
        executor.run(creating(again))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"options": {"parallelism": 2}}, r"options must be an Options, not \{'parallelism': 2\}"),
        ({"listeners": print}, "listeners must be an iterable of callables that take one event, not <built-in"),
        ({"listeners": [print, 5]}, "listeners must be an iterable of callables .*, but one of them is 5"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_what_an_executor_cannot_use_is_a_type_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Executor(**arguments)


@drives
def test_an_execution_is_not_its_dict(drive: Drive) -> None:
    with pytest.raises(TypeError, match=r"execution must be an Execution, not \{'id'"):
        Executor().run(ScriptedPlan(), execution={"id": "1"})  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize("function", [run, lambda plan, **options: asyncio.run(arun(plan, **options))])
def test_the_functions_check_their_options(function: Callable[..., Report]) -> None:
    with pytest.raises(ValueError, match="parallelism must be a whole number >= 1, not 0"):
        function(ScriptedPlan(), parallelism=0)


def test_many_executions_leave_no_threads_behind() -> None:
    before = threading.active_count()
    for _ in range(100):
        run(ScriptedPlan(), execution_timeout=60)
        asyncio.run(arun(ScriptedPlan()))
    assert threading.active_count() <= before + 3
