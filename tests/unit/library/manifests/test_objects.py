"""What is said of one object: whose it is, how it is, and what would change."""

from __future__ import annotations

from typing import Any

import pytest

from execloop.kube import Owner
from execloop.library.manifests.adoption import refusal
from execloop.library.manifests.diff import changed, created
from execloop.library.manifests.health import HealthCheck, brief
from execloop.library.manifests.wanted.readiness import ReadyWhen
from tests.unit.library.manifests.applying import UID, configmap

OWNER = Owner.plan("default", "a", UID)


def live(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **metadata}}


@pytest.mark.parametrize(
    ("metadata", "unowned", "never"),
    [
        ({}, None, "exists already"),
        ({"labels": {"execloop.dev/plan-uid": UID}}, None, None),
        ({"managedFields": [{"manager": OWNER.manager, "operation": "Apply"}]}, None, None),
        ({"managedFields": [{"manager": "kubectl", "operation": "Apply"}]}, None, "exists already"),
        ({"managedFields": [{"manager": "kubectl-edit", "operation": "Update"}]}, None, "exists already"),
        ({"managedFields": [{"manager": "other", "operation": "Apply"}]}, "field manager 'other'", "exists already"),
        (
            {"managedFields": [{"manager": "x", "operation": "Apply", "subresource": "status"}]},
            None,
            "exists already",
        ),
        ({"annotations": {"meta.helm.sh/release-name": "shop"}}, "Helm (shop)", "exists already"),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD (shop)", "exists already"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}, "Flux (shop)", "exists already"),
        ({"ownerReferences": [{"kind": "Job", "name": "j", "controller": True}]}, "Job j", "exists already"),
        ({"ownerReferences": [{"kind": "Job", "name": "j"}]}, None, "exists already"),
    ],
)
def test_whether_an_object_may_be_taken_over(metadata: dict[str, Any], unowned: str | None, never: str | None) -> None:
    for adopt, expected in (("IfUnowned", unowned), ("Never", never), ("Force", None)):
        found = refusal(live(**metadata), OWNER, adopt)
        assert (found is None) == (expected is None)
        assert expected is None or expected in str(found)


class TestDiff:
    def test_each_field_that_differs_has_a_line(self) -> None:
        before, after = configmap("c", a="1", b="2"), configmap("c", a="1", b="3", c="4")
        assert changed(before, after) == '~ data.b: "2" -> "3"\n+ data.c: "4"'

    def test_a_field_that_goes_has_one(self) -> None:
        assert changed(configmap("c", a="1"), configmap("c")) == '+ data: {}\n- data.a: "1"'

    def test_bookkeeping_and_the_status_have_none(self) -> None:
        before = live(resourceVersion="1", generation=1, managedFields=[]) | {"status": {"a": 1}}
        assert changed(before, live(resourceVersion="2")) == ""

    @pytest.mark.parametrize("field", ["data", "stringData"])
    def test_nothing_of_a_secret_s_content_is_shown(self, field: str) -> None:
        before, after = ({"kind": "Secret", "metadata": {"name": "s"}, field: {"k": v}} for v in ("old-value", "new"))
        assert changed(before, after) == f"~ {field}.k: *** -> ***"
        assert "new" not in created(after)

    def test_an_annotation_of_a_secret_is_masked_too(self) -> None:
        last = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"k":"hidden"}}'}
        assert "hidden" not in created({"kind": "Secret", "metadata": {"name": "s", "annotations": last}})

    def test_it_never_exceeds_what_a_task_may_show(self) -> None:
        text = created(configmap("c", None, **{f"key-{number}": "ü" * 300 for number in range(100)}))
        assert len(text.encode()) <= 4096
        assert "more lines" in text


class TestHealth:
    def judged(self, cel: str, status: dict[str, Any]) -> tuple[str, str]:
        rule = ReadyWhen(kind="Gadget", name=None, cel=cel)
        health = HealthCheck([rule], wait=True).of({"kind": "Gadget", "metadata": {"name": "g"}, "status": status})
        return health.state, health.message

    @pytest.mark.parametrize(
        ("status", "state", "message"),
        [
            ({"phase": "Up"}, "Current", "it is ready"),
            ({"phase": "Down"}, "InProgress", "readyWhen is false: object.status.phase == 'Up'"),
            ({}, "InProgress", "readyWhen gives no value: "),
        ],
    )
    def test_an_expression_says_when_an_object_of_its_kind_is_ready(
        self, status: dict[str, Any], state: str, message: str
    ) -> None:
        found = self.judged("object.status.phase == 'Up'", status)
        assert found[0] == state
        assert message in found[1]

    @pytest.mark.parametrize(("wait", "state"), [(True, "InProgress"), (False, "Current")])
    def test_without_wait_it_is_enough_that_an_object_exists(self, wait: bool, state: str) -> None:
        pending = {
            "kind": "Gadget",
            "metadata": {"name": "g"},
            "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Starting"}]},
        }
        assert HealthCheck([], wait=wait).of({"apiVersion": "example.com/v1", **pending}).state == state

    @pytest.mark.parametrize(
        ("spec", "conditions", "state"),
        [
            ({}, [], "InProgress"),
            ({}, [{"type": "Complete", "status": "False"}], "InProgress"),
            ({}, [{"type": "Complete", "status": "True"}], "Current"),
            ({}, [{"type": "Failed", "status": "True", "message": "too often"}], "Failed"),
            ({"suspend": True}, [{"type": "Suspended", "status": "True"}], "Current"),
        ],
        ids=["runs", "not complete", "complete", "failed", "suspended"],
    )
    def test_a_job_is_healthy_once_it_is_complete(
        self, spec: dict[str, Any], conditions: list[dict[str, str]], state: str
    ) -> None:
        status = {"startTime": "2026-01-01T00:00:00Z", "conditions": conditions}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec, "status": status}
        assert HealthCheck([], wait=True).of(job).state == state

    def test_a_namespace_or_a_definition_is_waited_for_all_the_same(self) -> None:
        definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
        assert HealthCheck([], wait=False).of({**definition, "metadata": {"name": "x"}}).state == "InProgress"


def test_many_messages_are_cut_and_counted() -> None:
    text = brief(["x" * 500, *map(str, range(9))])
    assert text.startswith("x" * 180 + "…; 0; 1; 2; 3; and 5 more")
