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


def kept(name: str) -> dict[str, Any]:
    """An object of `manifests` with a field that is null, and with an annotation that is."""
    wanted = configmap(name, kept="1")
    wanted["data"]["empty"] = None
    wanted["metadata"]["annotations"] = {"empty": None}
    return wanted


def removal(name: str) -> dict[str, Any]:
    """Parameters of `steps` that remove an annotation and a field of an object that exists."""
    annotate = {"name": "annotate", "do": {"annotate": {"target": "a", "annotations": {"old": "${{ null }}"}}}}
    patch = {"name": "patch", "do": {"patch": {"target": "a", "patch": {"data": {"old": "${{ null }}"}}}}}
    return {"steps": [annotate, patch], "objects": reading(a=f"ConfigMap/{name}")}


@pytest.fixture
def api(operator: Operator) -> Iterator[Api]:
    with serving() as made:
        yield made


def test_each_plan_does_the_same_however_it_was_applied(plans: Plans, kubectl: Kubectl, send: Send, api: Api) -> None:
    """`manifests` leaves out what is null (a server-side apply would make empty text of it), `steps` removes what an
    expression makes null, `http` expects and sends it.
    """
    existing = {
        **configmap("b", old="1", kept="1"),
        "metadata": {"name": "b", "annotations": {"old": "1", "kept": "1"}},
    }
    kubectl("create", "--filename=-", input=json.dumps(existing))
    api.objects["/teams/red"] = {"id": "red", "owner": "jane"}
    expect = {"id": "red", "owner": "${null}"}
    send(manifest("manifests", "manifests", parameters={"objects": [kept("a")]}))
    send(manifest("steps", "steps", parameters=removal("b"), errorBackoff={"initial": "200ms"}))
    send(manifest("http", "http", parameters={"url": f"{api.url}/teams/red", "expect": expect}))
    for name in ("manifests", "steps", "http"):
        plans.wait(name)
    applied, changed = (json.loads(kubectl("get", "configmap", name, "--output=json")) for name in ("a", "b"))
    assert applied["data"] == {"kept": "1"}
    assert "annotations" not in applied["metadata"]
    assert (changed["data"], changed["metadata"]["annotations"]) == ({"kept": "1"}, {"kept": "1"})
    assert api.objects["/teams/red"].get("owner") is None


@pytest.mark.usefixtures("operator")
def test_a_step_that_a_null_left_with_nothing_to_do_says_how_to_write_it(plans: Plans, kubectl: Kubectl) -> None:
    annotate = {"name": "a", "do": {"annotate": {"target": "a", "annotations": {"old": None}}}}
    plan = manifest("a", "steps", parameters={"steps": [annotate], "objects": reading(a="ConfigMap/a")})
    kubectl("apply", "--filename=-", input=json.dumps(plan))
    plans.wait("a", "Stalled")
    assert "parameters.steps.0.do.annotate: " in plans.message("a")
    assert "write ${{ null }}: kubectl apply drops a null" in plans.message("a")
