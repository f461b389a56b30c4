"""The fingerprint of an execution's inputs: which fields matter to the work."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.controller.api.v1alpha1 import PlanSpec
from execloop.controller.parameters.fingerprint import fingerprint

SPEC = {"plan": "noop", "parameters": {"a": 1}}
MATTERS: dict[str, Any] = {
    "plan": "other",
    "parameters": {"a": 2},
    "parametersFrom": [{"kind": "Secret", "name": "db"}],
    "sleepBetweenRuns": "2s",
    "errorsToTolerate": 6,
    "errorBackoff": {"initial": "2s"},
    "executionTimeout": "1h",
    "parallelism": 2,
    "mode": "Preview",
    "approval": "Manual",
    "dependsOn": [{"name": "other"}],
    "serviceAccountName": "deployer",
}
DOES_NOT_MATTER: dict[str, Any] = {
    "suspend": True,
    "interval": "1h",
    "historyLimit": 1,
    "deletionPolicy": "Teardown",
}


def of(spec: dict[str, Any], version: str = "1") -> str:
    return fingerprint(PlanSpec.model_validate(spec), version)


@pytest.mark.parametrize("field", MATTERS)
def test_a_field_that_says_what_is_to_be_done_matters(field: str) -> None:
    assert of(SPEC | {field: MATTERS[field]}) != of(SPEC)


@pytest.mark.parametrize("field", DOES_NOT_MATTER)
def test_a_field_that_says_when_or_how_long_does_not(field: str) -> None:
    assert of(SPEC | {field: DOES_NOT_MATTER[field]}) == of(SPEC)


def test_the_time_to_live_of_a_plan_that_finishes_does_not() -> None:
    once = SPEC | {"mode": "Once"}
    assert of(once | {"ttlAfterFinished": "1h"}) == of(once)


def test_every_field_is_decided_about() -> None:
    fields = {field.alias for field in PlanSpec.model_fields.values()}
    assert fields == {*MATTERS, *DOES_NOT_MATTER, "ttlAfterFinished"}


def test_a_default_that_is_written_out_is_no_change() -> None:
    assert of(PlanSpec.model_validate(SPEC).to_json()) == of(SPEC)


@pytest.mark.parametrize(("mode", "matters"), [("Reconcile", True), ("Preview", True), ("Once", False)])
def test_what_converged_once_stays_done_when_the_code_moves_on(mode: str, matters: bool) -> None:
    spec = SPEC | {"mode": mode}
    assert (of(spec, "1") != of(spec, "2")) is matters


class Later(PlanSpec):
    novelty: str = "none"


def test_a_field_that_a_later_version_adds_does_not_run_every_plan_anew() -> None:
    assert fingerprint(Later.model_validate(SPEC), "1") == of(SPEC)
    assert fingerprint(Later.model_validate(SPEC | {"novelty": "some"}), "1") != of(SPEC)


def test_it_is_the_same_in_every_process_and_release() -> None:
    """Another one for the same inputs would run every Plan anew when the operator is upgraded."""
    assert of(SPEC) == "47f51fd8e93b7ae8"


_values = st.sampled_from([0, 1, "", "x", True, None, [1, 2]])
_nested = st.fixed_dictionaries({}, optional={"x": _values, "y": _values})
_parameters = st.fixed_dictionaries({}, optional=dict.fromkeys("abc", _values | _nested))


@given(_parameters, st.randoms())
def test_the_order_of_keys_does_not_matter(parameters: dict[str, Any], random: Any) -> None:
    shuffled = list(parameters.items())
    random.shuffle(shuffled)
    assert of(SPEC | {"parameters": dict(shuffled)}) == of(SPEC | {"parameters": parameters})


@given(_parameters, _parameters)
def test_other_parameters_have_another_one(first: dict[str, Any], second: dict[str, Any]) -> None:
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)  # 1 and True are not the same
    if not same:
        assert of(SPEC | {"parameters": first}) != of(SPEC | {"parameters": second})
