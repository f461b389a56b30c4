"""The built-in plan `includes` on the real API server, with a real PostgreSQL."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.documentation import blocks
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, manifest, operating
from tests.integration.sql.postgres import Postgres
from tests.unit.library.steps.world import configmap

PAGE = (Path(__file__).parents[3] / "docs" / "library" / "includes.md").read_text()

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    options = "--plan-address=127.0.0.1", "--require-service-account-for=sql", "--allow=*=includes,manifests,sql"
    with operating(cluster, [namespace], tmp_path, *options) as running:
        yield running


def include(name: str, *objects: dict[str, Any], prune: bool = True) -> dict[str, Any]:
    return {"name": name, "plan": "manifests", "parameters": {"objects": list(objects), "prune": prune}}


def includes(*given: dict[str, Any], **spec: Any) -> dict[str, Any]:
    parameters = {"includes": list(given), "prune": True}
    return manifest("all", "includes", parameters=parameters, errorBackoff={"initial": "200ms"}, **spec)


def test_the_example_migrates_a_database_before_it_rolls_out(
    plans: Plans, kubectl: Kubectl, postgres: Postgres, database: str
) -> None:
    example = next(block for block in blocks(PAGE) if block.language == "yaml")
    broken = example.text.replace("create table orders", "create tabel orders")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-database"}}
    kubectl("apply", "--filename=-", input=json.dumps({**secret, "stringData": {"dsn": postgres.dsn(database)}}))
    kubectl("apply", "--filename=-", input=broken)
    plans.until(lambda: "schema: " in plans.message("release"), "the migration fails")
    assert "deployment" not in kubectl("get", "deployments", "--output=name")
    kubectl("apply", "--filename=-", input=example.text)
    plans.until(lambda: "web: Deployment" in plans.message("release"), "it waits for the rollout", 120)
    applied = postgres.execute("SELECT name FROM execloop_migrations ORDER BY id", database)
    assert applied == [("001-orders",), ("002-total",)]
    kubectl("scale", "deployment", "web", "--replicas=0")
    plans.wait("release")
    [entry] = plans.status("release")["inventory"]
    assert entry.startswith("web:Deployment.apps/")


def test_what_left_an_include_or_the_list_is_deleted_and_a_move_keeps_the_object(
    plans: Plans, kubectl: Kubectl
) -> None:
    plans.apply(includes(include("a", configmap("a1"), configmap("a2")), include("b", configmap("b1"))))
    plans.wait("all")
    uid = json.loads(kubectl("get", "configmap", "a2", "--output=json"))["metadata"]["uid"]
    plans.apply(includes(include("a", configmap("a1")), include("c", configmap("a2"))))
    plans.until(lambda: "c:" in " ".join(plans.status("all").get("inventory", ())), "the object has moved")
    plans.until(lambda: "configmap/b1" not in kubectl("get", "configmaps", "--output=name"), "b1 is deleted")
    plans.wait("all")
    found = json.loads(kubectl("get", "configmap", "a2", "--output=json"))["metadata"]
    assert (found["uid"], found["labels"]["execloop.dev/part"]) == (uid, "c")
    assert {text.partition("/")[0] for text in plans.status("all")["inventory"]} == {"a:ConfigMap", "c:ConfigMap"}


def test_a_plan_that_the_namespace_may_not_use_may_not_be_included(plans: Plans) -> None:
    http = {"name": "x", "plan": "http", "parameters": {"url": "https://example.com", "expect": {}}}
    plans.apply(includes(include("a", configmap("a")), http))
    plans.wait("all", "Stalled")
    assert plans.condition("all") == ("False", "InvalidParameters")
    assert "parameters.includes.1.plan: the plan 'http' is not allowed in the namespace" in plans.message("all")


def test_a_plan_that_needs_a_service_account_may_not_be_included_without_one(plans: Plans) -> None:
    sql = {"name": "x", "plan": "sql", "parameters": {"dsn": "postgresql://a@b/c", "migrations": []}}
    plans.apply(includes(sql))
    plans.wait("all", "Stalled")
    assert "spec.serviceAccountName is missing" in plans.message("all")


def test_wrong_parameters_of_an_include_are_named_with_their_place(plans: Plans) -> None:
    plans.apply(
        includes(include("a", configmap("a")), {"name": "b", "plan": "manifests", "parameters": {"objcts": []}})
    )
    plans.wait("all", "Stalled")
    assert "parameters.includes.1.parameters.objcts: there is no such parameter" in plans.message("all")


def test_a_teardown_deletes_the_objects_of_all_includes(plans: Plans, kubectl: Kubectl) -> None:
    plans.apply(includes(include("a", configmap("a")), include("b", configmap("b")), deletionPolicy="Teardown"))
    plans.wait("all")
    kubectl("delete", "plan", "all", "--timeout=60s")
    left = kubectl("get", "configmaps", "--output=name").split()
    assert left == ["configmap/kube-root-ca.crt"]
