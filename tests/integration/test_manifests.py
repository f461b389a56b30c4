"""The built-in plan `manifests`: objects as a Plan's parameters say, kept that way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, manifest, operating

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """One that lets `manifests` touch more than a Plan's own namespace."""
    reach = [f"--manifests-namespace={namespace}-new", "--manifests-namespace=Namespace"]
    with operating(cluster, [namespace], tmp_path, *reach, "--manifests-namespace=CustomResourceDefinition") as running:
        yield running


def objects(*manifests: dict[str, Any]) -> dict[str, Any]:
    return {"objects": list(manifests)}


def configmap(name: str, namespace: str | None = None, **data: str) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def value(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "configmap", name, "--output=jsonpath={.data.a}")


def test_what_others_need_comes_first_in_whatever_order_it_is_given(
    plans: Plans, kubectl: Kubectl, namespace: str
) -> None:
    """A namespace before what it holds, a definition before objects of its kind, all in one Plan."""
    new, group = f"{namespace}-new", f"{namespace}.example.com"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }
    gadget = {
        "apiVersion": f"{group}/v1",
        "kind": "Gadget",
        "metadata": {"name": "g", "namespace": new},
        "spec": {"size": 3},
    }
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": new}}
    given = objects(gadget, configmap("c", new, a="1"), definition, home)
    backoff = {"initial": "200ms", "max": "1s"}
    try:
        plans.apply(manifest("a", "manifests", parameters=given, errorsToTolerate=-1, errorBackoff=backoff))
        plans.wait("a")
        assert kubectl("get", f"gadgets.{group}/g", f"--namespace={new}", "--output=jsonpath={.spec.size}") == "3"
        assert kubectl("get", "configmap/c", f"--namespace={new}", "--output=jsonpath={.data.a}") == "1"
    finally:
        kubectl("delete", "crd", f"gadgets.{group}", "--wait=false")
        kubectl("delete", "namespace", new, "--wait=false")


def test_drift_is_taken_back_and_what_others_added_stays(plans: Plans, kubectl: Kubectl) -> None:
    plans.apply(manifest("a", "manifests", parameters=objects(configmap("c", a="1"))))
    plans.wait("a")
    kubectl("patch", "configmap", "c", "--type=merge", '--patch={"data":{"a":"spoilt","b":"mine"}}')
    plans.until(lambda: value(kubectl, "c") == "1", "it is repaired")
    assert kubectl("get", "configmap", "c", "--output=jsonpath={.data.b}") == "mine"
    kubectl("delete", "configmap", "c")
    plans.until(lambda: kubectl("get", "configmap", "c", "--ignore-not-found") != "", "it is there again")


def test_two_plans_that_claim_one_object_are_told_of_each_other(plans: Plans, kubectl: Kubectl, namespace: str) -> None:
    plans.apply(manifest("first", "manifests", parameters=objects(configmap("c", a="1"))))
    plans.wait("first")
    plans.apply(manifest("second", "manifests", parameters=objects(configmap("c", a="2")), errorsToTolerate=0))
    plans.wait("second", "Stalled")
    assert all(f"{namespace}/{name}" in plans.message("second") for name in ("first", "second"))
    assert value(kubectl, "c") == "1"


def test_a_kind_that_nobody_serves_is_named(plans: Plans) -> None:
    unknown = {"apiVersion": "example.invalid/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    plans.apply(manifest("a", "manifests", parameters=objects(unknown), errorsToTolerate=0))
    plans.wait("a", "Stalled")
    assert "Gadget" in plans.message("a")


def test_an_object_that_the_server_refuses_is_told_with_its_rule(plans: Plans) -> None:
    plans.apply(manifest("a", "manifests", parameters=objects(configmap("Not A Name")), errorsToTolerate=0))
    plans.wait("a", "Stalled")
    assert "metadata.name" in plans.message("a")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "parameters.objects: give at least one, or a folder"),
        (objects(), "parameters.objects: give at least one, or a folder"),
        (objects({"kind": "ConfigMap"}), "parameters.objects.0: apiVersion is missing"),
        (objects({"apiVersion": "v1", "kind": "ConfigMap"}), "parameters.objects.0: metadata.name is"),
    ],
)
def test_parameters_that_are_no_objects_stall_with_the_field(
    plans: Plans, operator: Operator, given: dict[str, Any], message: str
) -> None:
    plans.apply(manifest("a", "manifests", parameters=given))
    plans.wait("a", "Stalled")
    assert plans.condition("a") == ("False", "InvalidParameters")
    assert message in plans.message("a")


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (configmap("c", "kube-public", a="1"), "ConfigMap in the namespace 'kube-public'"),
        (
            {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "mine"}, "value": 1},
            "PriorityClass, which has no namespace",
        ),
    ],
)
def test_without_a_service_account_what_the_administrator_has_not_named_is_out_of_reach(
    plans: Plans, cluster: Cluster, given: dict[str, Any], where: str
) -> None:
    plans.apply(manifest("a", "manifests", parameters=objects(given), errorsToTolerate=0))
    plans.wait("a", "Stalled")
    assert f"{where}: without a service account this plan touches objects of its own namespace" in plans.message("a")


def test_with_a_service_account_rbac_decides(plans: Plans, kubectl: Kubectl, namespace: str, cluster: Cluster) -> None:
    kubectl("create", "serviceaccount", "wide")
    cluster.kubectl("create", "namespace", f"{namespace}-other")
    try:
        grant = ["--role=wide", f"--serviceaccount={namespace}:wide", f"--namespace={namespace}-other"]
        role = ["--verb=get,create,patch", "--resource=configmaps", f"--namespace={namespace}-other"]
        cluster.kubectl("create", "role", "wide", *role)
        cluster.kubectl("create", "rolebinding", "wide", *grant)
        given = objects(configmap("c", f"{namespace}-other", a="1"))
        plans.apply(manifest("a", "manifests", parameters=given, serviceAccountName="wide"))
        plans.wait("a")
    finally:
        cluster.kubectl("delete", "namespace", f"{namespace}-other", "--wait=false")
