"""A null in the parameters of a Plan: what arrives of it, and how each plan is told of one that does."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, manifest, operating
from tests.unit.library.http.api import Api, serving
from tests.unit.library.steps.world import configmap, reading

Send = Callable[[dict[str, Any]], None]


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    with operating(cluster, [namespace], tmp_path, "--plan-address=127.0.0.1") as running:
        yield running


@pytest.fixture(params=["apply", "apply --server-side"])
def send(kubectl: Kubectl, request: pytest.FixtureRequest) -> Send:
    """Each way in which people apply a Plan."""

    def send(plan: dict[str, Any]) -> None:
        kubectl(*request.param.split(), "--filename=-", input=json.dumps(plan))

    return send


@pytest.mark.usefixtures("crd")
@pytest.mark.parametrize(
    ("how", "arrives"),
    [
        (["apply"], {"list": [None, {}]}),
        (["apply", "--server-side"], {"list": [None, {"a": None}], "a": None}),
        (["create"], {"list": [None, {"a": None}], "a": None}),
    ],
    ids=" ".join,
)
def test_kubectl_drops_a_null_and_the_api_server_keeps_it(
    plans: Plans, kubectl: Kubectl, how: list[str], arrives: dict[str, Any]
) -> None:
    given = {"a": None, "list": [None, {"a": None}]}
    kubectl(*how, "--filename=-", input=json.dumps(manifest("a", "http", parameters=given)))
    assert plans.get("a")["spec"]["parameters"] == arrives


@pytest.mark.usefixtures("operator")
def test_manifests_leaves_a_field_out_that_is_null(plans: Plans, kubectl: Kubectl, send: Send) -> None:
    """A server-side apply would make empty text of it."""
    wanted = configmap("a", kept="1")
    wanted["data"]["empty"] = None
    wanted["metadata"]["annotations"] = {"empty": None}
    send(manifest("a", "manifests", parameters={"objects": [wanted]}))
    plans.wait("a")
    found = json.loads(kubectl("get", "configmap", "a", "--output=json"))
    assert found["data"] == {"kept": "1"}
    assert "annotations" not in found["metadata"]


@pytest.mark.usefixtures("operator")
def test_a_step_removes_what_an_expression_makes_null(plans: Plans, kubectl: Kubectl, send: Send) -> None:
    old = {**configmap("a", old="1", kept="1"), "metadata": {"name": "a", "annotations": {"old": "1", "kept": "1"}}}
    kubectl("create", "--filename=-", input=json.dumps(old))
    annotate = {"name": "annotate", "do": {"annotate": {"target": "a", "annotations": {"old": "${{ null }}"}}}}
    patch = {"name": "patch", "do": {"patch": {"target": "a", "patch": {"data": {"old": "${{ null }}"}}}}}
    parameters = {"steps": [annotate, patch], "objects": reading(a="ConfigMap/a")}
    send(manifest("a", "steps", parameters=parameters, errorBackoff={"initial": "200ms"}))
    plans.wait("a")
    found = json.loads(kubectl("get", "configmap", "a", "--output=json"))
    assert (found["data"], found["metadata"]["annotations"]) == ({"kept": "1"}, {"kept": "1"})


@pytest.mark.usefixtures("operator")
def test_a_step_that_a_null_left_with_nothing_to_do_says_how_to_write_it(plans: Plans, kubectl: Kubectl) -> None:
    annotate = {"name": "a", "do": {"annotate": {"target": "a", "annotations": {"old": None}}}}
    plan = manifest("a", "steps", parameters={"steps": [annotate], "objects": reading(a="ConfigMap/a")})
    kubectl("apply", "--filename=-", input=json.dumps(plan))
    plans.wait("a", "Stalled")
    assert "parameters.steps.0.do.annotate: " in plans.message("a")
    assert "write ${{ null }}: kubectl apply drops a null" in plans.message("a")


@pytest.fixture
def api(operator: Operator) -> Iterator[Api]:
    with serving() as made:
        yield made


def test_http_expects_and_sends_a_null(plans: Plans, send: Send, api: Api) -> None:
    api.objects["/teams/red"] = {"id": "red", "owner": "jane"}
    expect = {"id": "red", "owner": "${null}"}
    send(manifest("a", "http", parameters={"url": f"{api.url}/teams/red", "expect": expect}))
    plans.wait("a")
    assert api.objects["/teams/red"].get("owner") is None
