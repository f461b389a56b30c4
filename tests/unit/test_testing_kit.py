import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from execloop import ExecutionTimeout, Executor, FatalError, Options, Report, Task, ToleranceExceeded, task
from execloop.listeners import Recorder
from execloop.testing import FakeClock, ScriptedPlan, aconverge, assert_idempotent, converge, survive_failures

World = dict[str, int]


class Count(Task):
    """Counts how often each name was made."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    def perform(self) -> None:
        self.world[self.name] = self.world.get(self.name, 0) + 1


class AsyncCount(Count):
    async def perform(self) -> None:  # type: ignore[override]  # sync or async, as Task allows
        await asyncio.sleep(0)
        super().perform()


class Two:
    kind = Count

    def __init__(self, world: World | None = None) -> None:
        self.world = {} if world is None else world

    def create(self) -> list[Task]:
        return [self.kind(self.world, name) for name in ("a", "b") if name not in self.world]


class AsyncTwo(Two):
    kind = AsyncCount

    async def create(self) -> list[Task]:  # type: ignore[override]  # sync or async, as Plan allows
        return super().create()


class MixedTwo(Two):
    kind = AsyncCount


class YieldedTwo(Two):
    def create(self) -> Iterator[Task]:  # type: ignore[override]  # any iterable, as Plan allows
        yield from super().create()


# -- FakeClock


def test_time_stands_still_until_it_is_told_to_move() -> None:
    clock = FakeClock(100.0)
    assert clock.now() == clock.monotonic() == 100.0
    clock.advance(2.5)
    assert clock.now() == clock.monotonic() == 102.5
    with pytest.raises(ValueError, match="time does not go back"):
        clock.advance(-1)


def test_alarms_are_called_in_order_each_at_its_own_moment() -> None:
    clock, heard = FakeClock(), []
    clock.alarm(3, lambda: heard.append(("third", clock.now())))
    clock.alarm(1, lambda: heard.append(("first", clock.now())))
    clock.alarm(1, lambda: heard.append(("second", clock.now())))
    clock.alarm(9, lambda: heard.append(("late", clock.now())))
    call_off = clock.alarm(2, lambda: heard.append(("called off", clock.now())))
    call_off()
    clock.advance(5)
    assert heard == [("first", 1), ("second", 1), ("third", 3)]
    assert clock.now() == 5
    call_off()  # once more does no harm


def test_a_sleep_takes_no_time_and_is_remembered() -> None:
    clock = FakeClock()
    clock.sleep(60, threading.Event())
    asyncio.run(clock.asleep(30, asyncio.Event()))
    assert clock.sleeps == [60, 30]
    assert clock.now() == 90


def test_who_is_woken_does_not_sleep_on() -> None:
    clock, wake = FakeClock(), threading.Event()
    clock.alarm(2, wake.set)
    clock.sleep(60, wake)
    assert clock.now() == 2
    clock.sleep(60, wake)
    assert clock.now() == 2


def test_others_may_wake_an_async_sleeper_before_it_sleeps() -> None:
    async def main() -> float:
        clock, wake = FakeClock(), asyncio.Event()
        asyncio.get_running_loop().call_soon(wake.set)
        await clock.asleep(60, wake)
        return clock.now()

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("parallelism", [1, 4])
def test_a_deadline_falls_when_a_task_moves_time_past_it(parallelism: int) -> None:
    clock = FakeClock()
    plan = ScriptedPlan({"slow": lambda: clock.advance(11), "never": None})
    with pytest.raises(ExecutionTimeout) as caught:
        Executor(Options(execution_timeout=10, parallelism=parallelism), clock=clock).run(plan)
    assert plan.performed == ["slow"] or parallelism > 1
    assert caught.value.report is not None
    assert caught.value.report.duration == 11


def test_a_deadline_falls_in_the_sleep_between_runs() -> None:
    clock, recorder = FakeClock(), Recorder()
    plan = ScriptedPlan(*[["again"]] * 99)
    with pytest.raises(ExecutionTimeout):
        Executor(Options(execution_timeout=5), clock=clock, listeners=[recorder]).run(plan)
    assert clock.now() == 5
    assert plan.runs == 5
    assert str(recorder).endswith("gave up: ExecutionTimeout: not converged within 5 seconds")


# -- converge


@pytest.mark.parametrize("kind", [Two, AsyncTwo, MixedTwo])
def test_converge_drives_sync_and_async_plans_alike(kind: type[Two]) -> None:
    plan = kind()
    report = converge(plan)
    assert (report.runs, report.tasks, report.error_count) == (2, 2, 0)
    assert plan.world == {"a": 1, "b": 1}


def test_an_async_plan_keeps_one_event_loop_for_all_its_runs() -> None:
    loops: list[object] = []

    class Looping:
        async def create(self) -> list[Task]:
            loops.append(asyncio.get_running_loop())
            return [] if len(loops) == 3 else [task("next", lambda: None)]

    converge(Looping())
    assert len(loops) == 3
    assert len({id(loop) for loop in loops}) == 1


def test_aconverge_drives_a_plan_on_the_running_loop() -> None:
    async def main() -> Report:
        with pytest.raises(TypeError, match="await aconverge"):
            converge(AsyncTwo())
        assert converge(Two()).runs == 2
        return await aconverge(AsyncTwo())

    assert asyncio.run(main()).runs == 2


def test_no_real_time_passes_between_runs() -> None:
    clock = FakeClock()
    report = converge(ScriptedPlan(["a"], ["b"]), clock=clock, sleep_between_runs=86_400, execution_timeout=None)
    assert clock.sleeps == [86_400, 86_400]
    assert report.duration == 2 * 86_400


def test_what_was_pending_is_said_when_a_plan_does_not_converge() -> None:
    names = [f"t{i}" for i in range(25)]
    with pytest.raises(AssertionError) as caught:
        converge(ScriptedPlan(*[names] * 5), within=3)
    assert str(caught.value).startswith("not converged within 3 runs; the last one still asked for 't0', 't1', ")
    assert str(caught.value).endswith("'t19' and 5 more")


def test_the_errors_are_said_when_a_plan_does_not_converge() -> None:
    with pytest.raises(AssertionError, match=r"3 errors, the last of them:\n  a\[0\] perform: OSError: down"):
        converge(ScriptedPlan(*[{"a": OSError("down")}] * 3), within=3)


def test_the_run_that_finds_nothing_to_do_is_one_of_those_allowed() -> None:
    assert converge(ScriptedPlan(["a"]), within=2).runs == 2
    with pytest.raises(AssertionError):
        converge(ScriptedPlan(["a"]), within=1)


@pytest.mark.parametrize(
    ("script", "options", "error"),
    [
        ([OSError("create")], {}, OSError),
        ([{"a": FatalError("no")}], {}, FatalError),
        ([{"a": OSError("a"), "b": OSError("b")}], {"errors_to_tolerate": 1}, ToleranceExceeded),
        ([["a"], ["a"], ["a"]], {"execution_timeout": 1.5}, ExecutionTimeout),
    ],
)
def test_converge_raises_what_an_executor_raises(
    script: list[Any], options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        converge(ScriptedPlan(*script), **options)
    assert isinstance(getattr(caught.value, "report", None), Report) or error is OSError


def test_a_task_that_moves_time_past_the_deadline_is_the_last_one() -> None:
    clock = FakeClock()
    plan = ScriptedPlan({"slow": lambda: clock.advance(11), "never": None})
    with pytest.raises(ExecutionTimeout):
        converge(plan, clock=clock, execution_timeout=10)
    assert plan.performed == ["slow"]


@pytest.mark.parametrize("within", [0, -1, True, 2.0, "3"])
def test_within_must_be_a_number_of_runs(within: Any) -> None:
    with pytest.raises(ValueError, match="within must be a whole number of runs >= 1"):
        converge(Two(), within=within)


# -- assert_idempotent


@pytest.mark.parametrize("kind", [Two, AsyncTwo, YieldedTwo])
def test_a_plan_that_has_converged_stays_so_when_asked_again(kind: type[Two]) -> None:
    assert assert_idempotent(kind()).runs == 2


def test_a_plan_that_wants_more_when_asked_again_is_not_idempotent() -> None:
    with pytest.raises(AssertionError, match="converged after 2 runs, but asked again it still needs 'more'"):
        assert_idempotent(ScriptedPlan(["a"], [], ["more"]))


# -- ScriptedPlan


def test_a_script_says_what_becomes_of_each_task_in_each_run() -> None:
    plan = ScriptedPlan(["a", "b"], {"a": OSError("down"), "b": {"child": ["grandchild"]}}, {"c": lambda: None})
    report = converge(plan)
    assert plan.performed == ["a", "b", "a", "b", "child", "grandchild", "c"]
    assert (report.runs, report.error_count) == (4, 1)


def test_an_error_for_a_step_is_one_of_create() -> None:
    plan = ScriptedPlan(OSError("unreachable"), ["a"])
    with pytest.raises(OSError, match="unreachable"):
        plan.create()
    assert converge(plan).runs == 2


@pytest.mark.parametrize("script", [["names"], [7], [{"a": 7}], [{"a": {"b": "names"}}]])
def test_a_script_that_makes_no_sense_is_refused_at_once(script: list[Any]) -> None:
    with pytest.raises(TypeError, match="a step is an exception, names of tasks, or a mapping of names to deeds"):
        ScriptedPlan(*script)


# -- survive_failures


@pytest.mark.parametrize("kind", [Two, AsyncTwo, MixedTwo])
def test_a_plan_that_looks_at_the_world_survives_every_crash_point(kind: type[Two]) -> None:
    survival = survive_failures(kind, world=dict)
    # create, a, b, create: each before and after its effect, by an error and by a crash
    assert [(p.call, p.code, p.when, p.kind) for p in survival.points if p.call == 2] == [
        (2, "a perform", "before", "error"),
        (2, "a perform", "before", "crash"),
        (2, "a perform", "after", "error"),
        (2, "a perform", "after", "crash"),
    ]
    assert len(survival.points) == 16
    assert not survival.failures
    assert str(survival).splitlines()[:2] == [
        "16 of 16 crash points survived",
        "error before call 1, create: converged in 2 more runs",
    ]


def test_every_phase_and_every_child_is_a_crash_point() -> None:
    def make(world: World) -> Any:
        def perform() -> list[Task]:
            world["parent"] = 1
            return [Count(world, "child")]

        class Plan:
            def create(self) -> list[Task]:
                parent = task("parent", perform, pre=lambda: None, post=lambda: None)
                return [] if "child" in world else [parent]

        return Plan()

    survival = survive_failures(make, world=dict)
    assert list(dict.fromkeys(point.code for point in survival.points)) == [
        "create",
        "parent pre",
        "parent perform",
        "parent post",
        "child perform",
    ]


class CreatesOnce:
    """Takes what it made in an earlier life for somebody else's."""

    def __init__(self, world: World) -> None:
        self.world = world

    def create(self) -> list[Task]:
        return [] if "recorded" in self.world else [task("create", self._create), Count(self.world, "recorded")]

    def _create(self) -> None:
        if "created" in self.world:
            raise FatalError("it is there already")
        self.world["created"] = 1


def test_a_plan_that_cannot_go_on_after_a_crash_is_found_out() -> None:
    with pytest.raises(AssertionError) as caught:
        survive_failures(CreatesOnce, world=dict)
    assert str(caught.value).splitlines() == [
        "the plan does not survive 3 of 16 crash points",
        "crash after call 2, create perform: FatalError: it is there already",
        "error before call 3, recorded perform: FatalError: it is there already",
        "crash before call 3, recorded perform: FatalError: it is there already",
    ]


class Appends:
    """Does its work twice when it could not note that it was done."""

    def __init__(self, world: World) -> None:
        self.world = world

    def create(self) -> list[Task]:
        return [] if "noted" in self.world else [Count(self.world, "sent"), Count(self.world, "noted")]


def test_a_check_of_the_world_finds_what_was_done_twice() -> None:
    def check(world: World) -> None:
        assert world["sent"] == 1, f"sent {world['sent']} times"

    assert not survive_failures(Appends, world=dict).failures
    with pytest.raises(AssertionError, match="crash before call 3, noted perform: sent 2 times"):
        survive_failures(Appends, world=dict, check=check)


class Forgetful:
    """Remembers what is to be done, rather than looking."""

    def __init__(self, world: World) -> None:
        self.world, self.left = world, ["a", "b"]

    def create(self) -> list[Task]:
        return [Count(self.world, self.left.pop(0))] if self.left else []


def test_a_plan_that_relies_on_its_own_memory_shows_when_a_new_one_takes_over() -> None:
    def check(world: World) -> None:
        assert world == {"a": 1, "b": 1}

    with pytest.raises(AssertionError, match="the plan does not survive"):
        survive_failures(Forgetful, world=dict, check=check)


def test_without_a_world_the_same_plan_goes_on() -> None:
    made: list[Two] = []

    def make() -> Two:
        made.append(Two())
        return made[-1]

    survival = survive_failures(make, check=lambda plan: None)
    assert len(made) == 1 + len(survival.points)


def test_a_plan_that_does_not_converge_undisturbed_is_not_explored() -> None:
    with pytest.raises(AssertionError, match="not converged within 4 runs; the last one still asked for 'a'"):
        survive_failures(lambda: ScriptedPlan(*[["a"]] * 9), within=4)


# -- the pytest plugin


def test_the_fixtures_work_together(fake_clock: FakeClock, converge: Callable[..., Report], recorder: Recorder) -> None:
    report = converge(ScriptedPlan(["a"]), sleep_between_runs=7)
    assert fake_clock.sleeps == [7]
    assert str(recorder).splitlines()[0] == "run 1: 1 task (a), 5 errors left"
    assert report.runs == 2


def test_the_plugin_comes_with_the_installation(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "--fixtures", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    for fixture in ("fake_clock", "converge", "recorder"):
        assert f"{fixture} --" in done.stdout
