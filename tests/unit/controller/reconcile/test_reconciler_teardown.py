"""Deleted Plans that undo what they did before they go."""

from typing import Any

import pytest

from execloop.kube import ApiError
from tests.controlling import PLANS, Controller

DOWN = OSError("the database is down")
HELD = "execloop.dev/teardown"


def finalizers(control: Controller) -> list[str]:
    return list(control.cluster.objects[f"{PLANS}/a"]["metadata"].get("finalizers") or ())


def converged(control: Controller, **spec: Any) -> None:
    control.apply(**{"deletionPolicy": "Teardown"} | spec)
    control.settle()


def torn_down(control: Controller) -> None:
    """Reconcile whenever it is due until the Plan is gone."""
    for _ in range(50):
        delay = control.reconcile()
        if not control.names():
            return
        assert delay is not None, "nothing more would happen"
        control.clock.advance(delay)
    raise AssertionError("it does not go")


class TestFinalizer:
    def test_it_is_there_before_the_first_task(self, control: Controller) -> None:
        seen: list[list[str]] = []
        control.script({"x": lambda: seen.append(finalizers(control))})
        converged(control)
        assert seen == [[HELD]]

    def test_without_a_teardown_there_is_none_ever(self, control: Controller) -> None:
        converged(control, deletionPolicy="Orphan")
        assert finalizers(control) == []
        control.delete()
        assert control.names() == []

    def test_it_is_put_back_when_somebody_removed_it(self, control: Controller) -> None:
        converged(control)
        control.cluster.answer("PATCH", f"{PLANS}/a", {"metadata": {"finalizers": None}})
        control.reconcile()
        assert finalizers(control) == [HELD]

    def test_it_goes_when_there_is_to_be_no_teardown_any_more(self, control: Controller) -> None:
        converged(control)
        control.edit(deletionPolicy="Orphan")
        control.reconcile()
        assert finalizers(control) == []

    def test_those_of_others_stay(self, control: Controller) -> None:
        control.apply(deletionPolicy="Teardown")
        control.cluster.answer("PATCH", f"{PLANS}/a", {"metadata": {"finalizers": ["example.com/hold"]}})
        control.settle()
        assert finalizers(control) == ["example.com/hold", HELD]
        control.edit(deletionPolicy="Orphan")
        control.reconcile()
        assert finalizers(control) == ["example.com/hold"]

    def test_a_plan_without_teardown_code_is_told_so(self, control: Controller) -> None:
        control.apply("strict", parameters={"count": 1}, deletionPolicy="Teardown")
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "NotSupported")


@pytest.mark.parametrize("plan", ["scripted", "scripted-async"])
class TestTeardown:
    def test_it_is_driven_until_no_tasks_remain_and_then_the_plan_goes(self, control: Controller, plan: str) -> None:
        converged(control, plan=plan)
        undoing = control.undo(["x", "y"], ["y"])
        control.delete()
        torn_down(control)
        assert undoing.performed == ["x", "y", "y"]

    def test_what_it_does_can_be_seen(self, control: Controller, plan: str) -> None:
        converged(control, plan=plan)
        control.undo(["x"])
        control.edit(sleepBetweenRuns="1m")
        control.settle()
        control.delete()
        control.reconcile()
        assert control.conditions() == {"Ready": ("False", "TearingDown"), "Reconciling": ("True", "TearingDown")}

    def test_errors_are_tolerated_with_backoff(self, control: Controller, plan: str) -> None:
        converged(control, plan=plan, errorBackoff={"initial": "5s"})
        undoing = control.undo({"x": DOWN}, DOWN, ["x"])
        control.delete()
        assert control.reconcile() == 5
        assert control.conditions() == {
            "Ready": ("False", "TearingDown"),
            "Reconciling": ("True", "ProgressingWithRetry"),
        }
        control.clock.advance(5)
        torn_down(control)
        assert undoing.performed == ["x", "x"]


class TestItsExecution:
    def test_it_has_a_budget_of_its_own(self, control: Controller) -> None:
        control.script({"x": DOWN}, {"x": DOWN})
        converged(control, errorsToTolerate=2)
        control.undo({"x": DOWN}, {"x": DOWN})
        control.delete()
        torn_down(control)

    def test_it_supersedes_the_one_under_way(self, control: Controller) -> None:
        script = control.script({"x": control.meanwhile(control.delete), "never": None})
        control.undo({"y": DOWN})
        control.apply(deletionPolicy="Teardown")
        control.reconcile()
        control.reconcile()
        assert (script.performed, control.results()) == (["x"], ["Superseded"])

    def test_a_spent_budget_is_looked_at_until_nothing_is_left(self, control: Controller) -> None:
        converged(control, errorsToTolerate=0, interval="1m")
        undoing = control.undo({"x": DOWN}, ["x"])
        control.delete()
        assert control.reconcile() == 60
        assert control.conditions() == {"Ready": ("False", "TearingDown"), "Stalled": ("True", "TeardownFailed")}
        control.clock.advance(60)
        delay = control.reconcile()
        assert delay == pytest.approx(control.next_look(60))
        assert (control.names(), undoing.performed) == (["a"], ["x"])
        control.clock.advance(delay or 0)
        control.reconcile()
        assert control.names() == []

    def test_also_when_a_plan_at_rest_is_never_looked_at(self, control: Controller) -> None:
        converged(control, errorsToTolerate=0, interval="0s", errorBackoff={"max": "2m"})
        control.undo({"x": DOWN})
        control.delete()
        assert control.reconcile() == 120

    def test_a_conflict_at_the_removal_of_the_finalizer_is_tried_again(self, control: Controller) -> None:
        control.apply(deletionPolicy="Teardown", dependsOn=[{"name": "missing"}])
        control.reconcile()
        control.delete()
        control.cluster.before_next_request(lambda: control.label(team="ours"))
        assert control.reconcile() == 0
        control.reconcile()
        assert control.names() == []

    def test_under_manual_it_waits_for_an_approval_of_its_own(self, control: Controller) -> None:
        converged(control, approval="Manual")
        undoing = control.undo(["x"], ["x"])
        control.delete()
        control.reconcile()
        assert (undoing.performed, control.status()["pending"]["tasks"]) == ([], ["x"])
        control.annotate(approve=control.status()["pending"]["digest"])
        torn_down(control)
        assert undoing.performed == ["x"]

    def test_it_goes_on_while_the_plan_is_suspended(self, control: Controller) -> None:
        converged(control)
        control.edit(suspend=True)
        control.reconcile()
        undoing = control.undo(["x"])
        control.delete()
        torn_down(control)
        assert undoing.performed == ["x"]

    def test_it_goes_on_after_a_restart(self, control: Controller) -> None:
        converged(control, errorBackoff={"initial": "1m"})
        control.undo({"x": DOWN}, ["x"])
        control.delete()
        control.reconcile()
        before = control.execution()
        control.start()
        assert control.reconcile() == pytest.approx(60, abs=0.01)
        assert control.execution() == before
        control.clock.advance(60.01)
        torn_down(control)


class TestLetGo:
    @pytest.fixture
    def stuck(self, control: Controller) -> Controller:
        converged(control, errorsToTolerate=0)
        control.undo(*[{"x": DOWN}] * 9)
        control.delete()
        control.reconcile()
        return control

    def test_its_annotation_lets_go_at_once(self, stuck: Controller) -> None:
        stuck.annotate(abandon="true")
        stuck.reconcile()
        assert stuck.names() == []

    def test_another_policy_does_too(self, stuck: Controller) -> None:
        stuck.edit(deletionPolicy="Orphan")
        stuck.reconcile()
        assert stuck.names() == []

    def test_a_plan_that_the_image_lacks_holds_on(self, stuck: Controller) -> None:
        stuck.plans_are_missing = True
        stuck.start()
        stuck.reconcile()
        assert (stuck.names(), stuck.conditions()["Stalled"]) == (["a"], ("True", "TeardownFailed"))

    @pytest.mark.parametrize("missing", [False, True])
    def test_in_a_namespace_that_goes_any_failure_lets_go(self, control: Controller, missing: bool) -> None:
        def refuse() -> None:
            raise ApiError(403, "Forbidden", "namespace team is being terminated")

        converged(control)
        control.undo({"x": DOWN})
        control.delete()
        control.plans_are_missing = missing
        control.start()
        control.cluster.before_next_request(refuse)
        control.reconcile()
        assert control.names() == []

    def test_a_missing_source_is_waited_for(self, control: Controller) -> None:
        control.put("ConfigMap", "c")
        converged(control, parametersFrom=[{"kind": "ConfigMap", "name": "c"}])
        control.cluster.answer("DELETE", "/api/v1/namespaces/team/configmaps/c")
        control.delete()
        assert control.reconcile() == 1
        assert control.conditions()["Reconciling"] == ("True", "ProgressingWithRetry")
        control.put("ConfigMap", "c")
        torn_down(control)
