"""`Wait`: neither an error nor work."""

import asyncio
import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from execloop import (
    Execution,
    Executor,
    FatalError,
    Options,
    Task,
    TaskFinished,
    TaskStarted,
    TaskWaiting,
    Wait,
    task,
)
from execloop._engine.errors import ExecutionTimeout
from execloop._engine.execution import Again, Converged, CreateFailed, Failed
from execloop._engine.run import step
from execloop.listeners import Recorder
from execloop.testing import FakeClock, ScriptedPlan, converge
from tests.engine_model import PHASES, Flavour, Phase, creating, one_run

flavours = pytest.mark.parametrize("flavour", ["calls", "threads", "awaits", "mixed"])
OPTIONS = Options(sleep_between_runs=1, errors_to_tolerate=0)


def raising(error: Exception) -> Callable[[], Any]:
    def raise_it() -> None:
        raise error

    return raise_it


def after(create: Callable[[], Any], execution: Execution | None = None, flavour: Flavour = "calls") -> Again:
    """How a run goes on that has no error and has not converged."""
    if flavour in ("awaits", "mixed"):
        created = create

        async def acreate() -> Any:
            return created()

        create = acreate
    outcome = one_run(creating(create), flavour, execution, OPTIONS)
    assert isinstance(outcome, Again)
    assert (outcome.failed, outcome.execution.errors) == (0, 0)
    return outcome


# -- in create()


@flavours
@pytest.mark.parametrize(
    "create",
    [
        lambda: Wait("the node"),
        lambda: [Wait("the node")],
        lambda: (Wait("the node") for _ in range(1)),
        raising(Wait("the node")),
        raising(ExceptionGroup("all", [Wait("the node"), ExceptionGroup("more", [Wait("the node")])])),
    ],
    ids=["alone", "in a list", "generated", "raised", "raised in a group"],
)
def test_a_plan_that_waits_has_not_converged_and_has_no_error(create: Any, flavour: Flavour) -> None:
    outcome = after(create, flavour=flavour)
    assert (outcome.waiting, outcome.names) == (("the node",), ())
    assert (outcome.execution.runs, outcome.execution.failed_runs) == (1, 0)


@flavours
def test_the_tasks_beside_it_run(flavour: Flavour) -> None:
    seen: list[str] = []
    outcome = after(
        lambda: [Wait("x"), task("a", seen.append, "a"), Wait("y"), task("b", seen.append, "b")], None, flavour
    )
    assert seen == ["a", "b"]
    assert (outcome.waiting, outcome.names) == (("x", "y"), ("a", "b"))


@flavours
def test_a_generator_that_raises_it_has_asked_for_what_it_yielded_before(flavour: Flavour) -> None:
    seen: list[str] = []

    def create() -> Any:
        yield task("a", seen.append, "a")
        raise Wait("the node")

    outcome = after(create, None, flavour)
    assert (seen, outcome.waiting, outcome.names) == (["a"], ("the node",), ("a",))


def test_a_generator_that_raises_an_error_has_asked_for_nothing() -> None:
    def create() -> Any:
        yield task("a", lambda: pytest.fail("it was run"))
        raise OSError("down")

    assert isinstance(step(creating(create), Execution(), OPTIONS), CreateFailed)


@pytest.mark.parametrize("error", [OSError("down"), FatalError("no")], ids=repr)
def test_in_a_group_any_other_error_wins(error: Exception) -> None:
    group = ExceptionGroup("both", [Wait("x"), ExceptionGroup("inner", [error])])
    assert isinstance(step(creating(raising(group)), Execution(), OPTIONS), CreateFailed)
    outcome = step(creating(lambda: [task("a", raising(group))]), Execution(), OPTIONS)
    assert isinstance(outcome, Failed)
    assert outcome.execution.errors == 1


def test_an_error_that_a_wait_caused_is_an_error() -> None:
    def fail() -> None:
        raise OSError("down") from Wait("x")

    assert step(creating(lambda: [task("a", fail)]), Execution(), OPTIONS).execution.errors == 1


# -- in a task


class Phases(Task):
    """A task of a class that notes its phases, and waits in one of them."""

    name = "waiting"

    def __init__(self, seen: list[str], waits: Phase) -> None:
        self.seen, self.waits = seen, waits

    def play(self, phase: Phase) -> None:
        self.seen.append(phase)
        if phase == self.waits:
            raise Wait("the pods", again_in=5)

    def pre(self) -> None:
        self.play("pre")

    def perform(self) -> list[Task]:
        self.play("perform")
        return [task("child", self.seen.append, "child")]

    def post(self) -> None:
        self.play("post")


@flavours
@pytest.mark.parametrize(("phase", "left"), [*zip(PHASES, ("pre", "pre perform", "pre perform post"), strict=True)])
def test_raised_in_a_phase_it_skips_the_rest_of_the_task_and_no_sibling(
    phase: Phase, left: str, flavour: Flavour
) -> None:
    seen: list[str] = []
    outcome = after(lambda: [Phases(seen, phase), task("next", seen.append, "next")], None, flavour)
    assert " ".join(seen) == f"{left} next"
    assert (outcome.waiting, outcome.names, outcome.delay) == (("the pods",), ("next",), 5.0)


def test_a_task_whose_child_waits_has_not_ended_without_a_wait() -> None:
    outcome = after(lambda: [task("deploy", lambda: [task("check", raising(Wait("the pods")))]), task("other", int)])
    assert outcome.names == ("other",)


def test_a_run_with_an_error_is_one_with_errors_whatever_waits_beside_it() -> None:
    tasks = [task("a", raising(OSError("down"))), task("b", raising(Wait("x", again_in=60)))]
    before = Execution(waiting_runs=4)
    outcome = step(creating(lambda: tasks), before, Options(sleep_between_runs=1))
    assert isinstance(outcome, Again)
    assert (outcome.delay, outcome.failed, outcome.waiting) == (1.0, 1, ("x",))
    assert (outcome.execution.failed_runs, outcome.execution.waiting_runs) == (1, 0)


@pytest.mark.parametrize("parallelism", [1, 3])
def test_waits_beside_one_another_are_all_kept(parallelism: int) -> None:
    left = [[task(name, raising(Wait(f"for {name}"))) for name in "abc"]]
    report = Executor(Options(0, 0, None, parallelism), clock=FakeClock()).run(
        creating(lambda: left.pop() if left else None)
    )
    assert sorted(map(str, report.waits)) == ["a[0]: for a", "b[1]: for b", "c[2]: for c"]
    assert (report.error_count, report.tasks) == (0, 3)


# -- when the next run follows


def test_the_next_run_follows_after_the_soonest_time_that_was_said() -> None:
    outcome = after(
        lambda: [Wait("x", again_in=60), Wait("y"), task("a", raising(Wait("z", again_in=timedelta(seconds=7))))]
    )
    assert outcome.delay == 7.0


def test_without_a_time_the_sleep_doubles_up_to_thirty_seconds() -> None:
    clock = FakeClock()
    plan = ScriptedPlan(*[{"a": Wait("x")}] * 7)
    converge(plan, within=8, clock=clock)
    assert clock.sleeps == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(("sleep", "sleeps"), [(45, [45, 45, 45]), (0, [0.1, 0.2, 0.4])])
def test_it_is_never_less_than_the_sleep_and_never_nothing(sleep: float, sleeps: list[float]) -> None:
    clock = FakeClock()
    converge(ScriptedPlan(*[{"a": Wait("x")}] * 3), clock=clock, sleep_between_runs=sleep)
    assert clock.sleeps == sleeps


def test_work_beside_a_wait_starts_the_doubling_again() -> None:
    clock = FakeClock()
    waits, both = {"a": Wait("x")}, {"a": Wait("x"), "b": None}
    converge(ScriptedPlan(waits, waits, both, waits, waits), clock=clock)
    assert clock.sleeps == [1, 2, 1, 1, 2]


def test_the_doubling_goes_on_in_another_process() -> None:
    execution = after(lambda: Wait("x")).execution
    kept = Execution.from_dict(execution.to_dict())
    assert after(lambda: Wait("x"), kept).delay == 2.0


def test_a_state_that_knows_no_waits_can_still_be_read() -> None:
    state = Execution().to_dict()
    del state["waiting_runs"]
    assert Execution.from_dict(state).waiting_runs == 0


def test_the_deadline_runs_on() -> None:
    clock = FakeClock()
    executor = Executor(Options(execution_timeout=20), clock=clock)
    with pytest.raises(ExecutionTimeout) as caught:
        executor.run(creating(lambda: Wait("the node", again_in=60)))
    assert clock.now() == 20
    assert caught.value.report is not None
    assert [wait.message for wait in caught.value.report.waits] == ["the node"]


# -- who is told


def test_listeners_and_the_report_have_the_messages() -> None:
    recorder = Recorder()
    script = {"a": Wait("the pods"), "b": None}
    report = converge(ScriptedPlan(script, Wait("the node", again_in=3)), listeners=[recorder])
    assert [(str(event.path), event.message, event.again_in) for event in recorder.of(TaskWaiting)] == [
        ("a[0]", "the pods", None),
        ("None", "the node", 3.0),
    ]
    assert [path.path.name for path in recorder.of(TaskFinished)] == ["b"]
    assert len(recorder.of(TaskStarted)) == 2
    assert list(map(str, report.waits)) == ["a[0]: the pods", "the node"]
    assert str(recorder).splitlines()[2] == "a waiting: the pods"


def test_messages_are_bounded_and_said_once() -> None:
    outcome = after(lambda: [*(Wait(f"{number}") for number in range(1500)), Wait("1499")])
    assert len(outcome.waiting) == 999
    assert outcome.waiting[-1] == "1499"


def test_a_plan_that_waits_can_converge_later() -> None:
    assert isinstance(step(creating(list), after(lambda: Wait("x")).execution, OPTIONS), Converged)


# -- what it accepts


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((5,), TypeError, "Wait: message must be text, not 5"),
        (("x", "5s"), TypeError, "Wait: again_in must be a number of seconds >= 0 or a timedelta, or None, not '5s'"),
        (("x", -1), ValueError, "Wait: again_in must be a number of seconds >= 0"),
    ],
)
def test_what_is_not_a_message_or_a_time_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Wait(*arguments)


def test_it_can_be_pickled() -> None:
    copied = pickle.loads(pickle.dumps(Wait("x", 5)))
    assert (copied.message, copied.again_in, str(copied)) == ("x", 5.0, "x")


def test_a_wait_out_of_async_code_is_the_same() -> None:
    async def perform() -> None:
        await asyncio.sleep(0)
        raise Wait("x")

    async def acreate() -> Any:
        return [task("a", perform)]

    outcome = one_run(creating(acreate), "awaits", None, OPTIONS)
    assert isinstance(outcome, Again)
    assert outcome.waiting == ("x",)
