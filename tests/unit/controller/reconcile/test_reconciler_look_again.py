"""Without a pause between runs a plan is asked again in the thread of its run, which saves a call."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from execloop import Context, Task, task
from execloop.controller.watch.cache import Key
from tests.controlling import NAMESPACE, Controller

KEY = Key(NAMESPACE, "a")
DOWN = OSError("the database is down")


def calls(control: Controller) -> int:
    """Plan code that was admitted: once for each call of it."""
    return len(control.admitted)


class Keeping:
    """Keeps something during its first run."""

    def __init__(self, keep: Callable[[Context], object], control: Controller) -> None:
        self.keep, self.control, self.asked = keep, control, 0

    def create(self) -> list[Task]:
        self.asked += 1
        self.keep(self.control.contexts[-1])
        return [task("x", lambda: None)] if self.asked == 1 else []


def test_a_quick_convergence_is_one_call_and_one_write(control: Controller) -> None:
    control.script(["x"])
    control.apply(sleepBetweenRuns="0s")
    control.settle()
    assert (calls(control), len(control.written), control.execution()["runs"]) == (1, 1, 2)


def test_after_a_pause_it_is_another_call(control: Controller) -> None:
    control.script(["x"])
    control.apply(sleepBetweenRuns="1s")
    control.settle()
    assert (calls(control), control.execution()["runs"]) == (2, 2)


@pytest.mark.parametrize("plan", ["scripted", "scripted-constructor"])
def test_what_it_finds_then_is_the_next_run(control: Controller, plan: str) -> None:
    script = control.script(["x"], ["y", "z"])
    control.apply(plan, sleepBetweenRuns="0s")
    control.settle()
    assert (script.performed, control.execution()["runs"]) == (["x", "y", "z"], 3)


def test_an_error_of_it_counts(control: Controller) -> None:
    control.script(["x"], DOWN)
    control.apply(sleepBetweenRuns="0s")
    control.reconcile()
    assert (control.execution()["errors"], control.execution()["runs"]) == (1, 2)
    assert control.conditions()["Ready"] == ("False", "CreateFailed")


class Exiting:
    """Ends the interpreter when it is asked the second time."""

    def __init__(self) -> None:
        self.asked = 0

    def create(self) -> list[Task]:
        self.asked += 1
        if self.asked == 2:
            raise SystemExit(3)
        return [task("x", lambda: None)]


def test_an_exit_of_it_ends_the_execution(control: Controller) -> None:
    control.plan(Exiting())
    control.apply(sleepBetweenRuns="0s")
    control.reconcile()
    assert control.conditions()["Stalled"] == ("True", "FatalError")


class Blocking:
    """Blocks when it is asked the second time."""

    def __init__(self, release: Event) -> None:
        self.release, self.asked = release, 0

    def create(self) -> list[Task]:
        self.asked += 1
        if self.asked == 2:
            self.release.wait(30)
        return [task("x", lambda: None)]


def test_one_that_blocks_ends_the_execution_at_its_deadline_and_is_not_asked_beside_itself(control: Controller) -> None:
    release = Event()
    plan = Blocking(release)
    control.plan(plan)
    control.apply(sleepBetweenRuns="0s", executionTimeout="200ms")
    control.settle()
    assert control.conditions()["Stalled"] == ("True", "ExecutionTimeout")
    assert plan.asked == 2
    release.set()


def test_a_run_with_an_error_is_not_followed_by_a_look(control: Controller) -> None:
    script = control.script({"x": DOWN}, ["y"])
    control.apply(sleepBetweenRuns="0s")
    control.reconcile()
    assert (script.runs, calls(control)) == (1, 1)


def test_a_change_during_the_run_leaves_it_out(control: Controller) -> None:
    script = control.script({"x": control.meanwhile(lambda: control.edit(suspend=True))}, ["y"])
    control.apply(sleepBetweenRuns="0s")
    control.settle()
    assert (script.performed, calls(control)) == (["x"], 1)


def test_drift_during_the_run_is_seen_by_it(control: Controller) -> None:
    script = control.script({"x": control.meanwhile(lambda: control.reconciler.drifted(KEY))})
    control.apply(sleepBetweenRuns="0s")
    control.settle()
    assert (script.performed, calls(control)) == (["x"], 1)


@pytest.mark.parametrize(
    "keep",
    [
        lambda context: context.state.update(token="7"),
        lambda context: context.inventory.add("ConfigMap./team/a"),
    ],
    ids=["state", "inventory"],
)
def test_what_a_plan_keeps_is_written_before_it_is_asked_again(
    control: Controller, keep: Callable[[Context], Any]
) -> None:
    plan = Keeping(keep, control)
    control.plan(plan)
    control.apply(sleepBetweenRuns="0s")
    control.reconcile()
    assert (plan.asked, len(control.written)) == (1, 1)
    control.settle()
    assert control.conditions() == {"Ready": ("True", "Converged")}


class Incomparable:
    """A value that no state may hold, and that raises when it is compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    __hash__ = None  # type: ignore[assignment]


def test_a_value_that_cannot_be_compared_ends_its_execution_alone(control: Controller) -> None:
    control.plan(Keeping(lambda context: context.state.update(token="7"), control))
    control.apply(sleepBetweenRuns="0s")
    control.settle()
    control.plan(Keeping(lambda context: context.state.update(token=Incomparable()), control))
    control.annotate(requestedAt="again")
    control.settle()
    assert control.conditions()["Stalled"] == ("True", "FatalError")
