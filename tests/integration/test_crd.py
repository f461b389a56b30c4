"""The CRD on a real API server: what `kubectl` makes of it."""

import json
from typing import Any

import pytest

from execloop.controller.api.v1alpha1 import PlanSpec, PlanStatus
from tests.integration.conftest import Kubectl
from tests.plan_specs import ACCEPTED, REFUSED, Refused

pytestmark = pytest.mark.usefixtures("crd")


def _manifest(spec: dict[str, Any], name: str = "plan") -> str:
    return json.dumps({"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": {"name": name}, "spec": spec})


def _set_status(kubectl: Kubectl, status: dict[str, Any]) -> None:
    kubectl("patch", "xp", "plan", "--subresource=status", "--type=merge", f"--patch={json.dumps({'status': status})}")


def _get(kubectl: Kubectl) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(kubectl("get", "xp", "plan", "--output=json"))
    return plan


def test_the_schema_is_structural_and_served(kubectl: Kubectl) -> None:
    definition = json.loads(kubectl("get", "crd", "plans.execloop.dev", "--output=json"))
    conditions = {condition["type"]: condition["status"] for condition in definition["status"]["conditions"]}
    assert conditions == {"Established": "True", "NamesAccepted": "True"}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.why)
def test_a_spec_that_breaks_a_rule_is_refused_with_its_field_and_the_rule(case: Refused, kubectl: Kubectl) -> None:
    answer = kubectl("create", "--dry-run=server", "--filename=-", input=_manifest(case.spec), check=False)
    (complaint, *_) = [line for line in answer.splitlines() if case.rule in line]
    assert f"{case.at}: " in complaint
    assert "evaluating rule" not in answer or case.why == "a duration of 300 years"


def test_a_good_spec_is_stored_and_read_as_it_was_meant(kubectl: Kubectl) -> None:
    names = [f"plan-{number}" for number in range(len(ACCEPTED))]
    manifests = "\n---\n".join(_manifest(spec, name) for spec, name in zip(ACCEPTED, names, strict=True))
    kubectl("create", "--filename=-", input=manifests)
    stored = {
        plan["metadata"]["name"]: plan["spec"] for plan in json.loads(kubectl("get", "xp", "--output=json"))["items"]
    }
    for spec, name in zip(ACCEPTED, names, strict=True):
        assert PlanSpec.model_validate(stored[name]) == PlanSpec.model_validate(spec)


def test_what_is_left_out_is_filled_in_and_nothing_within_lists(kubectl: Kubectl) -> None:
    lists = {"dependsOn": [{"name": "other"}], "parametersFrom": [{"kind": "Secret", "name": "token"}]}
    kubectl("create", "--filename=-", input=_manifest({"plan": "noop", **lists}))
    assert _get(kubectl)["spec"] == {**PlanSpec(plan="noop").to_json(), **lists}


def test_an_error_backoff_given_in_part_gets_the_rest(kubectl: Kubectl) -> None:
    kubectl("create", "--filename=-", input=_manifest({"plan": "noop", "errorBackoff": {"initial": "2s"}}))
    assert _get(kubectl)["spec"]["errorBackoff"] == {"initial": "2s", "max": "5m"}


def test_a_plan_that_nobody_looked_at_yet_has_observed_generation_minus_one(kubectl: Kubectl) -> None:
    kubectl("create", "--filename=-", input=_manifest({"plan": "noop"}))
    assert _get(kubectl)["status"] == {"observedGeneration": -1}


def test_a_status_is_kept_as_the_operator_wrote_it(kubectl: Kubectl) -> None:
    kubectl("create", "--filename=-", input=_manifest({"plan": "noop"}))
    time = "2026-01-02T12:00:00.123456Z"
    condition = {"type": "Ready", "status": "True", "reason": "Converged", "lastTransitionTime": time}
    status = PlanStatus.model_validate(
        {
            "observedGeneration": 1,
            "conditions": [condition],
            "execution": {
                "id": "8f2c",
                "inputs": "sha256:0123",
                "startedAt": time,
                "paused": 1.5,
                "approval": {"digest": "sha256:4567", "by": "admin"},
                "sameWork": {"runs": 2, "since": time},
                "generation": 1,
                "message": "no tasks remain",
            },
            "nextRunAt": time,
            "lastConvergedAt": time,
            "progress": "3/7",
            "pending": {"digest": "sha256:4567", "count": 1, "tasks": ["copy"]},
            "lastHandledReconcileAt": "now",
            "history": [{"id": "8f2b", "generation": 1, "startedAt": time, "finishedAt": time, "result": "Converged"}],
            "inventory": ["Namespace//team-a", "Deployment.apps/team-a/web"],
        }
    )
    _set_status(kubectl, status.to_json())
    assert _get(kubectl)["status"] == status.to_json()
    assert PlanStatus.model_validate(_get(kubectl)["status"]) == status


def test_a_status_does_not_change_the_generation(kubectl: Kubectl) -> None:
    kubectl("create", "--filename=-", input=_manifest({"plan": "noop"}))
    _set_status(kubectl, {"observedGeneration": 1, "progress": "1/1"})
    assert _get(kubectl)["metadata"]["generation"] == 1


@pytest.mark.parametrize("way", [[], ["--server-side"]], ids=["client-side", "server-side"])
def test_nothing_differs_after_an_apply(way: list[str], kubectl: Kubectl) -> None:
    manifest = _manifest(
        {
            "plan": "noop",
            "interval": "60m",
            "parameters": {"count": 1, "nested": {"list": [{"a": 1}]}},
            "errorBackoff": {"initial": "2s"},
            "dependsOn": [{"name": "other"}],
            "parametersFrom": [{"kind": "ConfigMap", "name": "settings"}],
        }
    )
    kubectl("apply", *way, "--filename=-", input=manifest)
    assert kubectl("diff", *way, "--filename=-", input=manifest) == ""
    kubectl("apply", *way, "--filename=-", input=manifest)
    assert _get(kubectl)["metadata"]["generation"] == 1


def test_get_shows_the_plan_and_its_state(kubectl: Kubectl) -> None:
    kubectl("create", "--filename=-", input=_manifest({"plan": "restart"}))
    time = "2026-01-02T12:00:00Z"
    ready = {"type": "Ready", "status": "False", "reason": "TasksFailed", "message": "full", "lastTransitionTime": time}
    _set_status(kubectl, {"conditions": [ready], "state": "Retrying"})
    header, row = (line.split() for line in kubectl("get", "xp").splitlines())
    assert header == ["NAME", "READY", "STATE", "STATUS", "AGE"]
    assert row[:-1] == ["plan", "False", "Retrying", "full"]


def test_get_shows_more_when_it_is_asked_to(kubectl: Kubectl) -> None:
    kubectl("create", "--filename=-", input=_manifest({"plan": "restart"}))
    time = "2026-01-02T12:00:00Z"
    execution = {"id": "c0ecae752e51", "inputs": "i", "startedAt": time}
    more = {"progress": "3/7", "errors": "2/5", "execution": execution, "nextRunAt": time, "lastConvergedAt": time}
    _set_status(kubectl, more)
    header, row = kubectl("get", "xp", "--output=wide").splitlines()
    columns = ("PLAN", "PROGRESS", "ERRORS", "EXECUTION", "NEXT RUN", "LAST CONVERGED")
    starts = [header.index(f" {column}") + 1 for column in columns]
    cells = [row[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
    assert cells[:-1] == ["restart", "3/7", "2/5", "c0ecae752e51", time]
    assert cells[-1].endswith("d")


@pytest.mark.parametrize("resource", ["plans", "plan", "xp", "execloop", "all"])
def test_a_plan_is_found_by_each_of_its_names_and_categories(resource: str, kubectl: Kubectl) -> None:
    kubectl("create", "--filename=-", input=_manifest({"plan": "noop"}))
    assert "plan.execloop.dev/plan" in kubectl("get", resource, "--output=name").split()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("xp", "A Plan converges"),
        ("xp.spec", "Name of a registered plan"),
        ("xp.spec.errorBackoff.max", "The longest delay"),
        ("xp.spec.parametersFrom.key", "YAML mapping of parameters"),
        ("xp.status.execution", "Identity of the execution"),
    ],
)
def test_explain_says_what_a_field_means(path: str, words: str, kubectl: Kubectl) -> None:
    assert words in " ".join(kubectl("explain", path).split())
