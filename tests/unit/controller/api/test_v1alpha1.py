from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from execloop.controller.api.v1alpha1 import Condition, ExecutionStatus, PlanSpec, PlanStatus
from execloop.controller.api.violations import describe
from tests.plan_specs import ACCEPTED, REFUSED, Refused

_NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.why)
def test_a_spec_that_the_api_server_would_refuse_is_refused(case: Refused) -> None:
    with pytest.raises(ValidationError) as refused:
        PlanSpec.model_validate(case.spec)
    (complaint,) = describe(refused.value).split("; ")
    assert complaint.startswith(f"{case.at}: ")
    assert case.model_rule in complaint


@pytest.mark.parametrize("spec", ACCEPTED, ids=str)
def test_a_spec_is_written_as_it_was_read(spec: dict[str, Any]) -> None:
    parsed = PlanSpec.model_validate(spec)
    assert PlanSpec.model_validate(parsed.to_json()) == parsed


def test_a_spec_has_the_documented_defaults() -> None:
    assert PlanSpec(plan="noop").to_json() == {
        "plan": "noop",
        "parameters": {},
        "parametersFrom": [],
        "sleepBetweenRuns": "1s",
        "errorsToTolerate": 5,
        "errorBackoff": {"initial": "1s", "max": "5m"},
        "executionTimeout": "20m",
        "parallelism": 1,
        "interval": "10m",
        "mode": "Reconcile",
        "approval": "Automatic",
        "suspend": False,
        "dependsOn": [],
        "deletionPolicy": "Orphan",
        "historyLimit": 5,
    }


def test_a_dependency_is_a_plan_unless_it_says_otherwise() -> None:
    (dependency,) = PlanSpec.model_validate({"plan": "noop", "dependsOn": [{"name": "database"}]}).depends_on
    assert (dependency.api_version, dependency.kind, dependency.namespace) == ("execloop.dev/v1alpha1", "Plan", None)


def test_durations_are_seconds() -> None:
    spec = PlanSpec.model_validate({"plan": "noop", "interval": "1h30m", "errorBackoff": {"initial": "500ms"}})
    assert (spec.interval, spec.error_backoff.initial, spec.error_backoff.max) == (5400.0, 0.5, 300.0)


def test_a_field_of_a_newer_version_does_not_stop_an_older_operator() -> None:
    assert PlanSpec.model_validate({"plan": "noop", "fromTheFuture": {"x": 1}}) == PlanSpec(plan="noop")


def test_a_null_among_the_parameters_is_kept() -> None:
    assert PlanSpec(plan="noop", parameters={"a": {"b": None}}).to_json()["parameters"] == {"a": {"b": None}}


def test_nothing_of_a_resource_can_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        PlanSpec(plan="noop").suspend = True


@pytest.mark.parametrize("stored", [{}, {"observedGeneration": -1}])
def test_a_plan_that_nobody_looked_at_yet_has_an_empty_status(stored: dict[str, Any]) -> None:
    assert PlanStatus.model_validate(stored) == PlanStatus(observed_generation=-1)


def test_times_are_utc_whatever_their_offset_was() -> None:
    execution = ExecutionStatus(id="1", inputs="x", started_at=_NOON.astimezone(timezone(timedelta(hours=2))))
    assert execution.started_at.tzinfo is UTC
    assert execution.to_json()["startedAt"] == "2026-01-02T12:00:00.123456Z"


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError, match="should have timezone info"):
        ExecutionStatus.model_validate({"id": "1", "inputs": "x", "startedAt": "2026-01-02T12:00:00"})


def test_conditions_are_timed_in_whole_seconds_as_those_of_kubernetes_are() -> None:
    condition = Condition(type="Ready", status="True", reason="Converged", last_transition_time=_NOON)
    assert condition.to_json()["lastTransitionTime"] == "2026-01-02T12:00:00Z"


STORED: dict[str, Any] = {
    "observedGeneration": 3,
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "TasksFailed",
            "message": "copy: no space left",
            "lastTransitionTime": "2026-01-02T12:00:00Z",
            "observedGeneration": 3,
        }
    ],
    "execution": {
        "id": "8f2c",
        "inputs": "sha256:0123",
        "runs": 2,
        "errors": 1,
        "failedRuns": 1,
        "startedAt": "2026-01-02T12:00:00.123456Z",
        "paused": 1.5,
        "finishedAt": "2026-01-02T12:00:02Z",
        "result": "ErrorsExceeded",
        "generation": 3,
        "message": "copy: no space left",
        "lastError": "copy: no space left",
        "approval": {"digest": "sha256:4567", "by": "admin"},
        "sameWork": {"runs": 2, "since": "2026-01-02T12:00:01Z"},
    },
    "nextRunAt": "2026-01-02T12:00:03Z",
    "progress": "3/7",
    "pending": {"digest": "sha256:4567", "count": 1, "tasks": ["copy"]},
    "history": [
        {
            "id": "8f2b",
            "generation": 2,
            "startedAt": "2026-01-01T12:00:00Z",
            "finishedAt": "2026-01-01T12:00:01Z",
            "runs": 2,
            "errors": 0,
            "result": "Converged",
            "message": "",
            "approvedBy": "admin",
        }
    ],
    "inventory": ["ConfigMap/default/settings"],
}


def test_a_status_is_written_as_it_was_read_and_without_what_it_has_not() -> None:
    assert PlanStatus.model_validate(STORED).to_json() == STORED
