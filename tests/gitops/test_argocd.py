"""docs/gitops/argocd-cm.yaml against every recorded state of a Plan."""

import copy
from typing import Any

import pytest

from execloop.controller.api.v1alpha1 import PlanStatus
from tests.gitops.argocd import ScriptFailed, act, available, health
from tests.gitops.states import State, state, states

every_state = pytest.mark.parametrize("recorded", states(), ids=lambda recorded: recorded.name)


def _with(plan: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**plan, "spec": {**plan["spec"], **spec}}


@every_state
def test_a_recorded_state_is_one_that_the_operator_can_write(recorded: State) -> None:
    written = PlanStatus.model_validate(recorded.status).to_json()
    assert written | recorded.status == written


@every_state
def test_the_health_script_judges_a_plan(recorded: State) -> None:
    assert health(recorded.plan)["status"] == recorded.argocd


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("never seen by the operator", "the operator has not yet seen this generation of the Plan"),
        ("converged before a change that nobody has seen", "the operator has not yet seen this generation of the Plan"),
        ("at work on a change", "1 task done"),
        ("trying again after an error", "the disk is full"),
        ("waiting for an approval", "2 tasks remain"),
        ("stalled", "the disk is full"),
        ("suspended with work left", "spec.suspend is true"),
        ("converged", "nothing is left to do"),
    ],
)
def test_the_health_script_says_why(name: str, message: str) -> None:
    assert health(state(name).plan)["message"] == message


def test_a_plan_without_a_status_is_progressing() -> None:
    plan = {key: value for key, value in state("converged").plan.items() if key != "status"}
    assert health(plan)["status"] == "Progressing"


@pytest.mark.parametrize(
    ("name", "spec", "actions"),
    [
        ("converged", {}, {"suspend", "reconcile"}),
        ("stalled", {"suspend": False}, {"suspend", "reconcile"}),
        ("suspended with work left", {"suspend": True}, {"resume"}),
        ("waiting for an approval", {"approval": "Manual"}, {"suspend", "reconcile", "approve"}),
        ("previewed", {"approval": "Automatic"}, {"suspend", "reconcile"}),
        ("never seen by the operator", {"approval": "Manual"}, {"suspend", "reconcile"}),
    ],
)
def test_the_actions_are_those_that_make_sense(name: str, spec: dict[str, Any], actions: set[str]) -> None:
    assert available(_with(state(name).plan, **spec)) == actions


def test_what_is_approved_already_is_not_offered_for_approval() -> None:
    plan = copy.deepcopy(_with(state("waiting for an approval").plan, approval="Manual"))
    plan["metadata"]["annotations"] = {"execloop.dev/approve": "d1"}
    assert "approve" not in available(plan)


@pytest.mark.parametrize(("action", "suspend"), [("suspend", True), ("resume", False)])
def test_suspend_and_resume_change_nothing_else(action: str, suspend: bool) -> None:
    plan = state("at work").plan
    assert act(action, plan) == _with(plan, suspend=suspend)


@pytest.mark.parametrize("annotations", [None, {"team": "a"}])
def test_approve_takes_the_digest_that_waits_and_changes_nothing_else(annotations: dict[str, str] | None) -> None:
    plan = copy.deepcopy(state("waiting for an approval").plan)
    if annotations:
        plan["metadata"]["annotations"] = annotations
    expected = copy.deepcopy(plan)
    expected["metadata"]["annotations"] = {**(annotations or {}), "execloop.dev/approve": "d1"}
    assert act("approve", plan) == expected


def test_there_is_nothing_to_approve_when_nothing_waits() -> None:
    with pytest.raises(ScriptFailed, match="no tasks of this Plan wait for an approval"):
        act("approve", state("converged").plan)


def test_reconcile_asks_at_the_present_time_and_changes_nothing_else() -> None:
    plan = state("converged").plan
    changed = act("reconcile", plan)
    requested = changed["metadata"].pop("annotations")
    assert changed == plan
    assert list(requested) == ["execloop.dev/requestedAt"]
    assert requested["execloop.dev/requestedAt"].endswith("Z")
