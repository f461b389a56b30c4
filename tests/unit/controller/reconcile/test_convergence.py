"""Whether a plan asks for the same work again and again."""

from datetime import UTC, datetime, timedelta

import pytest

from execloop import plan
from execloop._plans.definition import Definition, definition_of
from execloop.controller.api.v1alpha1 import SameWork
from execloop.controller.reconcile.execution.executions import is_stuck, repeated

START = datetime(2026, 1, 2, tzinfo=UTC)


def after(*runs: list[str], seconds: float = 10) -> SameWork | None:
    """What is remembered after runs that asked for these tasks, so many seconds apart."""
    work = None
    for number, names in enumerate(runs):
        work = repeated(work, names, START + timedelta(seconds=number * seconds))
    return work


def definition(runs: int | None = 20, seconds: float | None = 300.0) -> Definition:
    @plan("stubborn")
    class Stubborn:
        same_work_runs, same_work_seconds = runs, seconds

        def create(self) -> None: ...

    found = definition_of(Stubborn)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("course", "runs"),
    [
        ([["x"]], 1),
        ([["x"], ["x"]], 2),
        ([["x"], ["y"]], 1),
        ([["x"], ["y"], ["x"]], 1),
        ([["x", "y"], ["y", "x"]], 1),
        ([["x", "y"], ["xy"]], 1),
        ([["x"], ["x", "x"]], 1),
        ([["x"], ["y"], ["y"], ["y"]], 3),
    ],
    ids=str,
)
def test_runs_that_ask_for_the_same_tasks_in_the_same_order_are_counted(course: list[list[str]], runs: int) -> None:
    work = after(*course)
    assert work is not None
    assert work.runs == runs


def test_it_remembers_when_they_began() -> None:
    work = after(["x"], ["y"], ["y"], ["y"])
    assert work is not None
    assert work.since == START + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("runs", "seconds", "stuck"), [(19, 1000, False), (20, 299, False), (20, 300, True), (999, 299, False)]
)
def test_it_is_stuck_after_many_runs_and_a_while(runs: int, seconds: float, stuck: bool) -> None:
    work = SameWork(runs=runs, since=START, tasks="x")
    assert is_stuck(work, definition(), START + timedelta(seconds=seconds)) is stuck


@pytest.mark.parametrize(
    ("limits", "stuck"),
    [((3, 10.0), True), ((31, 10.0), False), ((3, 3601.0), False), ((None, 10.0), False), ((3, None), False)],
)
def test_a_plan_has_limits_of_its_own(limits: tuple[int | None, float | None], stuck: bool) -> None:
    work = SameWork(runs=30, since=START, tasks="x")
    assert is_stuck(work, definition(*limits), START + timedelta(hours=1)) is stuck


def test_any_text_is_a_name() -> None:
    odd = repeated(None, ["drop \ud800", "drop \udfff"], START)
    assert odd.tasks != repeated(None, ["drop \udfff", "drop \ud800"], START).tasks
