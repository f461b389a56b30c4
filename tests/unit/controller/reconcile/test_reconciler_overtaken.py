"""What changes while a run goes on, or between our reading a Plan and our writing it."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from execloop.kube import ApiError
from tests.controlling import Controller

Change: TypeAlias = Callable[[Controller], object]


class TestOvertaken:
    """Things change while a task runs."""

    @pytest.mark.parametrize("plan", ["scripted", "scripted-async"])
    def test_changed_inputs_stop_the_run_at_its_next_task(self, control: Controller, plan: str) -> None:
        edit = control.meanwhile(lambda: control.edit(parameters={"size": 2}))
        script = control.script({"x": edit, "never": None}, ["new"])
        control.apply(plan)
        control.settle()
        assert script.performed == ["x", "new"]
        assert control.results() == ["Converged", "Superseded"]
        assert control.status()["observedGeneration"] == 2

    def test_a_mistake_in_the_spec_stops_it_too(self, control: Controller) -> None:
        edit = control.meanwhile(lambda: control.edit(plan="nosuch"))
        script = control.script({"x": edit, "never": None})
        control.apply()
        control.settle()
        assert (script.performed, control.conditions()["Stalled"]) == (["x"], ("True", "UnknownPlan"))

    def test_an_unrelated_change_stops_nothing(self, control: Controller) -> None:
        script = control.script({"x": control.meanwhile(lambda: control.edit(interval="1h")), "y": None})
        control.apply()
        control.settle()
        assert (script.performed, control.results()) == (["x", "y"], ["Converged"])

    def test_a_deleted_plan_stops_at_its_next_task_and_is_written_no_more(self, control: Controller) -> None:
        script = control.script({"x": control.meanwhile(control.delete), "never": None})
        control.apply()
        control.reconcile()
        assert (script.performed, control.written) == (["x"], [])

    def test_one_that_was_made_anew_begins_at_the_beginning(self, control: Controller) -> None:
        def made_anew() -> None:
            control.delete()
            control.apply()

        script = control.script({"x": control.meanwhile(made_anew), "never": None}, ["y"])
        control.apply()
        control.settle()
        assert script.performed == ["x", "y"]
        assert (control.execution()["runs"], control.results()) == (2, ["Converged"])


def labelled(control: Controller) -> None:
    control.label(team="ours")


def with_another_interval(control: Controller) -> None:
    control.edit(interval="1h")


def edited_by_hand(control: Controller) -> None:
    control.spoil(progress="9/9")


class TestConflict:
    """Somebody writes the Plan between our reading and our writing it."""

    @pytest.mark.parametrize(
        "change", [labelled, with_another_interval, edited_by_hand], ids=["label", "interval", "status"]
    )
    def test_the_result_is_written_again_when_it_still_stands(self, control: Controller, change: Change) -> None:
        control.apply()
        control.cluster.before_next_request(lambda: change(control))
        control.settle()
        assert (control.conditions(), control.results()) == ({"Ready": ("True", "Converged")}, ["Converged"])
        assert "progress" not in control.status()

    def test_the_result_of_changed_inputs_is_recorded_as_superseded(self, control: Controller) -> None:
        control.script({"x": OSError("down")})
        control.apply(errorBackoff={"initial": "1m"})
        control.cluster.before_next_request(lambda: control.edit(parameters={"size": 2}))
        assert control.reconcile() == 0
        control.settle()
        assert control.results() == ["Converged", "Superseded"]

    def test_the_result_of_another_uid_is_dropped(self, control: Controller) -> None:
        def made_anew() -> None:
            control.delete()
            control.apply()

        control.script({"x": OSError("down")})
        control.apply()
        control.cluster.before_next_request(made_anew)
        assert control.reconcile() == 0
        control.settle()
        assert (control.results(), control.execution()["errors"]) == (["Converged"], 0)

    def test_the_result_of_a_plan_that_went_is_dropped(self, control: Controller) -> None:
        control.apply()
        control.cluster.before_next_request(control.delete)
        with pytest.raises(ApiError, match="NotFound"):  # only the watch and a list say for certain that it went
            control.reconcile()
        assert control.reconcile() is None

    def test_the_result_is_dropped_when_another_operator_wrote_an_execution(self, control: Controller) -> None:
        control.apply()
        control.settle()
        other = control.execution() | {"id": "another"}
        control.annotate(requestedAt="now")
        control.cluster.before_next_request(lambda: control.spoil(execution=other))
        assert control.reconcile() == 0
        assert control.execution()["id"] == "another"
        control.settle()
        assert control.results()[0] == "Converged"
