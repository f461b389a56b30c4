"""The built-in plan `steps` on the real API server."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.documentation import blocks
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, manifest, operating
from tests.unit.library.http.api import serving
from tests.unit.library.steps.world import configmap, reading

PAGE = (Path(__file__).parents[2] / "docs" / "library" / "steps.md").read_text()
Apply = Callable[..., None]


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    with operating(cluster, [namespace], tmp_path, "--plan-address=127.0.0.1") as running:
        yield running


@pytest.fixture
def apply(kubectl: Kubectl) -> Apply:
    def apply(*objects: dict[str, Any]) -> None:
        kubectl("apply", "--filename=-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    return apply


def steps(*given: dict[str, Any], spec: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    backoff = {"errorBackoff": {"initial": "200ms"}}
    return manifest("procedure", "steps", parameters={"steps": list(given), **parameters}, **backoff, **(spec or {}))


def deployment(name: str, replicas: int = 1, **labels: str) -> dict[str, Any]:
    container = {"name": "main", "image": "x"}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [container], "volumes": [{"name": "database", "secret": {"secretName": "database-1"}}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


@pytest.mark.usefixtures("operator")
def test_the_example_rotates_a_password_and_retires_the_old_one_last(
    plans: Plans, kubectl: Kubectl, apply: Apply
) -> None:
    old = {"name": "database-1", "labels": {"credential": "database", "version": "1"}}
    apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": old, "stringData": {"password": "old-horse"}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "next-password"},
            "stringData": {"password": "new-horse"},
        },
        deployment("web", reads="database"),
        deployment("worker", reads="database"),
    )
    example = next(block for block in blocks(PAGE) if block.language == "yaml")
    kubectl("apply", "--filename=-", input=example.text)
    plans.until(lambda: "the readers to use version 2" in plans.message("rotation"), "it waits for the readers")
    assert "database-1" in kubectl("get", "secrets", "--output=name")
    kubectl("scale", "deployment", "web", "worker", "--replicas=0")  # its controller has nothing to wait for then
    plans.wait("rotation")
    assert "database-1" not in kubectl("get", "secrets", "--output=name")
    volumes = json.loads(kubectl("get", "deployment", "web", "--output=json"))["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["secret"]["secretName"] == "database-2"
    assert plans.status("rotation")["inventory"] == [
        f"Secret/{plans.get('rotation')['metadata']['namespace']}/database-2"
    ]
    assert "horse" not in kubectl("get", "plan,events", "--output=json")


@pytest.mark.usefixtures("operator")
def test_drift_of_what_a_step_applied_is_repaired_at_once(plans: Plans, kubectl: Kubectl) -> None:
    plans.apply(steps({"name": "settings", "do": {"apply": configmap("settings", colour="blue")}}))
    plans.wait("procedure")
    kubectl("patch", "configmap", "settings", "--type=merge", '--patch={"data": {"colour": "red"}}')
    plans.until(lambda: '"blue"' in kubectl("get", "configmap", "settings", "--output=json"), "it is repaired")


@pytest.mark.usefixtures("operator")
def test_a_change_of_what_a_step_only_reads_is_seen_at_once(plans: Plans, kubectl: Kubectl, apply: Apply) -> None:
    """It is another's: it does not carry the Plan's label."""
    copy = {
        "name": "copy",
        "objects": reading(source="ConfigMap/source"),
        "do": {"apply": configmap("copy", colour="${{ objects.source.data.colour }}")},
    }
    plans.apply(steps(copy, spec={"interval": "1h"}))
    plans.until(lambda: "copy" in plans.message("procedure"), "it waits for the source")
    apply(configmap("source", colour="blue"))
    plans.wait("procedure")
    apply(configmap("source", colour="red"))
    plans.until(lambda: '"red"' in kubectl("get", "configmap", "copy", "--output=json"), "the copy follows")
    kubectl("delete", "configmap", "source")
    plans.until(lambda: plans.condition("procedure") == ("Unknown", "Waiting"), "the missing source is noticed")


@pytest.mark.usefixtures("operator")
def test_a_teardown_deletes_what_was_applied(plans: Plans, kubectl: Kubectl) -> None:
    first = {"name": "first", "do": {"apply": configmap("first")}}
    each = {
        "name": "each",
        "needs": ["first"],
        "forEach": ["a", "b"],
        "do": {"apply": configmap("each-${{ item }}")},
    }
    plans.apply(steps(first, each, spec={"deletionPolicy": "Teardown"}))
    plans.wait("procedure")
    kubectl("delete", "plan", "procedure", "--timeout=60s")
    left = kubectl("get", "configmaps", "--output=name")
    assert "each-" not in left
    assert "first" not in left


def test_a_restart_happens_once_though_the_operator_dies(
    plans: Plans, kubectl: Kubectl, apply: Apply, operator: Operator
) -> None:
    apply(deployment("web", 0), configmap("go"))
    restart = {
        "name": "again",
        "objects": reading(web="Deployment/web", go="ConfigMap/go"),
        "check": "objects.go.?data.?done.orValue('') == 'yes'",
        "do": {"restart": {"target": "web"}},
    }
    plans.apply(steps(restart))
    plans.until(lambda: "restarted-by" in kubectl("get", "deployment", "web", "--output=json"), "it restarts")
    operator.kill()
    operator.start()
    plans.until(lambda: "its check does not hold yet" in plans.message("procedure"), "it waits for its check")
    assert json.loads(kubectl("get", "deployment", "web", "--output=json"))["metadata"]["generation"] == 2
    kubectl("patch", "configmap", "go", "--type=merge", '--patch={"data": {"done": "yes"}}')
    plans.wait("procedure")


@pytest.mark.usefixtures("operator")
def test_a_step_waits_for_the_answer_of_a_server(plans: Plans) -> None:
    with serving() as api:
        probes = {"team": {"url": f"{api.url}/teams/blue"}}
        check = "probes.team.status == 200 && probes.team.body.size == 3"
        plans.apply(steps({"name": "ready", "check": check, "do": {"wait": "the team"}}, probes=probes))
        plans.until(lambda: plans.message("procedure") == "ready: the team", "it waits")
        api.objects["/teams/blue"] = {"size": 3}
        plans.wait("procedure")


@pytest.mark.usefixtures("operator")
def test_a_wrong_expression_is_refused_with_its_place(plans: Plans) -> None:
    plans.apply(steps({"name": "a", "check": "values.x = 1", "do": {"wait": "x"}}))
    plans.wait("procedure", "Stalled")
    assert plans.condition("procedure") == ("False", "InvalidParameters")
    assert "parameters.steps.0.check" in plans.message("procedure")
    assert "line 1, column 10" in plans.message("procedure")


@pytest.mark.usefixtures("operator")
def test_a_step_that_needs_an_approval_waits_for_it(plans: Plans, kubectl: Kubectl) -> None:
    plans.apply(steps({"name": "careful", "approval": True, "do": {"apply": configmap("careful")}}))
    plans.until(lambda: plans.condition("procedure") == ("Unknown", "ApprovalRequired"), "it waits")
    digest = plans.status("procedure")["pending"]["digest"]
    plans.annotate("procedure", approve=digest)
    plans.wait("procedure")
