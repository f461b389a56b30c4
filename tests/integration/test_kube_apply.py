"""Server-side apply: drift is taken back, another Plan's object is left alone."""

import json
from typing import Any

import pytest

from execloop.kube import PLAN_UID_LABEL, ApiError, Connection, Drifted, Kube, Missing, Same
from tests.asynchronous import in_event_loop
from tests.cluster import Cluster
from tests.integration.conftest import Kubectl


@pytest.fixture
def connection(cluster: Cluster) -> Connection:
    return Connection.load(cluster.kubeconfig)


@pytest.fixture
def kube(connection: Connection, namespace: str) -> Kube:
    return Kube.for_plan(connection, namespace=namespace, name="web", uid="uid-web")


@pytest.fixture
def other(connection: Connection, namespace: str) -> Kube:
    return Kube.for_plan(connection, namespace=namespace, name="db", uid="uid-db")


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}


def definition(group: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def deployment() -> dict[str, Any]:
    container = {"name": "c", "image": "i", "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}


def service() -> dict[str, Any]:
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": spec}


def secret() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"password": "hunter2"}}


def role() -> dict[str, Any]:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "x"}, "rules": rules}


def cron_job() -> dict[str, Any]:
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    spec = {"schedule": "0 0 * * *", "suspend": True, "jobTemplate": {"spec": {"template": pod}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x"}, "spec": spec}


NAMESPACED = [config_map(k="1"), config_map(), deployment(), service(), secret(), role(), cron_job()]


# --- whose it is


@in_event_loop
async def test_what_is_applied_is_marked_as_the_plans(kube: Kube, namespace: str) -> None:
    metadata = (await kube.apply(config_map(k="1")))["metadata"]
    assert metadata["labels"] == {PLAN_UID_LABEL: "uid-web"}
    assert [entry["manager"] for entry in metadata["managedFields"]] == [f"execloop/{namespace}/web"]


@pytest.mark.parametrize("claim", [config_map(k="2"), config_map(k="1"), config_map(other="1"), config_map()])
@in_event_loop
async def test_two_plans_that_claim_one_object_are_both_named(
    kube: Kube, other: Kube, namespace: str, claim: dict[str, Any]
) -> None:
    await kube.apply(config_map(k="1"))
    for call in (other.apply, other.compare):
        with pytest.raises(ApiError) as refused:
            await call(claim)
        assert (refused.value.status, refused.value.reason) == (409, "OwnedByAnotherPlan")
        assert f"Plan {namespace}/web" in refused.value.message
        assert f"Plan {namespace}/db" in refused.value.message
    assert await kube.compare(config_map(k="1")) == Same({})


@in_event_loop
async def test_an_object_is_handed_over_by_removing_its_label(kube: Kube, other: Kube, kubectl: Kubectl) -> None:
    await kube.apply(config_map(k="1"))
    kubectl("label", "configmap/x", f"{PLAN_UID_LABEL}-")
    assert (await other.apply(config_map(k="2")))["data"] == {"k": "2"}
    with pytest.raises(ApiError, match="OwnedByAnotherPlan"):
        await kube.apply(config_map(k="1"))


@in_event_loop
async def test_a_plan_that_was_made_again_takes_its_objects_back(
    kube: Kube, connection: Connection, namespace: str
) -> None:
    await kube.apply(config_map(k="1"))
    again = Kube.for_plan(connection, namespace=namespace, name="web", uid="uid-again")
    assert (await again.apply(config_map(k="1")))["metadata"]["labels"] == {PLAN_UID_LABEL: "uid-again"}


@in_event_loop
async def test_an_object_that_no_plan_applied_is_taken(kube: Kube, kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "x", "--from-literal=k=0", "--from-literal=kept=1")
    assert (await kube.apply(config_map(k="1")))["data"] == {"k": "1", "kept": "1"}


@in_event_loop
async def test_the_callers_object_is_left_alone(kube: Kube) -> None:
    wanted = config_map(k="1")
    await kube.apply(wanted)
    assert wanted == config_map(k="1")


# --- drift


@in_event_loop
async def test_a_field_that_somebody_took_is_taken_back(kube: Kube, kubectl: Kubectl) -> None:
    await kube.apply(config_map(k="1"))
    kubectl("patch", "configmap/x", "--type=merge", f"--patch={json.dumps({'data': {'k': '2'}})}")
    assert await kube.compare(config_map(k="1")) == Drifted(("data.k",), {})
    assert (await kube.apply(config_map(k="1")))["data"] == {"k": "1"}
    assert await kube.compare(config_map(k="1")) == Same({})


@in_event_loop
async def test_a_label_that_somebody_changed_is_taken_back(kube: Kube, kubectl: Kubectl) -> None:
    await kube.apply(config_map())
    kubectl("label", "configmap/x", f"{PLAN_UID_LABEL}=somebody", "--overwrite")
    assert await kube.compare(config_map()) == Drifted((f'metadata.labels["{PLAN_UID_LABEL}"]',), {})
    assert (await kube.apply(config_map()))["metadata"]["labels"] == {PLAN_UID_LABEL: "uid-web"}


@in_event_loop
async def test_a_field_that_somebody_added_is_theirs(kube: Kube, kubectl: Kubectl) -> None:
    await kube.apply(config_map(k="1"))
    kubectl("patch", "configmap/x", "--type=merge", f"--patch={json.dumps({'data': {'theirs': '2'}})}")
    assert await kube.compare(config_map(k="1")) == Same({})


@in_event_loop
async def test_a_field_that_the_plan_gave_up_goes(kube: Kube) -> None:
    await kube.apply(config_map(a="1", b="2"))
    assert await kube.compare(config_map(a="1")) == Drifted(("data.b",), {})
    assert (await kube.apply(config_map(a="1")))["data"] == {"a": "1"}


@pytest.mark.parametrize("wanted", NAMESPACED, ids=lambda wanted: str(wanted["kind"]))
@in_event_loop
async def test_what_was_applied_has_not_drifted(kube: Kube, wanted: dict[str, Any]) -> None:
    """Whatever the server defaulted, converted or allocated."""
    assert await kube.compare(wanted) == Missing()
    await kube.apply(wanted)
    assert await kube.compare(wanted) == Same({})


@pytest.mark.parametrize(
    ("wanted", "patch", "path"),
    [
        (deployment(), {"spec": {"replicas": 5}}, None),
        (deployment(), {"spec": {"template": {"metadata": {"labels": {"c": "d"}}}}}, None),
        (service(), {"spec": {"selector": {"a": "c"}}}, "spec.selector.a"),
        (secret(), {"data": {"password": "eA=="}}, "data.password"),
        (role(), {"rules": []}, "rules"),
        (cron_job(), {"spec": {"schedule": "1 1 * * *"}}, "spec.schedule"),
    ],
    ids=lambda value: str(value["kind"]) if isinstance(value, dict) and "kind" in value else "",
)
@in_event_loop
async def test_only_what_the_plan_asks_for_can_drift(
    kube: Kube, kubectl: Kubectl, wanted: dict[str, Any], patch: dict[str, Any], path: str | None
) -> None:
    await kube.apply(wanted)
    kubectl("patch", wanted["kind"], "x", "--type=merge", f"--patch={json.dumps(patch)}")
    assert await kube.compare(wanted) == (Same({}) if path is None else Drifted((path,), {}))


@in_event_loop
async def test_a_dry_run_changes_nothing(kube: Kube) -> None:
    assert (await kube.apply(config_map(k="1"), dry_run=True))["data"] == {"k": "1"}
    assert await kube.get("v1", "ConfigMap", "x") is None


@in_event_loop
async def test_a_comparison_has_the_live_object(kube: Kube) -> None:
    await kube.apply(config_map(k="1"))
    compared = await kube.compare(config_map(k="2"))
    assert isinstance(compared, Drifted)
    assert compared.live["data"] == {"k": "1"}


@in_event_loop
async def test_a_change_that_the_server_refuses_is_an_error(kube: Kube) -> None:
    await kube.apply(deployment())
    changed = deployment()
    changed["spec"]["selector"]["matchLabels"] = {"a": "c"}
    with pytest.raises(ApiError, match=r"422 Invalid: .*selector"):
        await kube.compare(changed)


# --- what is not there yet


@in_event_loop
async def test_a_part_of_what_another_creates_is_missing_and_why_it_could_not_be_created_is_known(kube: Kube) -> None:
    part = deployment()
    del part["spec"]["selector"]
    compared = await kube.compare(part)
    assert isinstance(compared, Missing)
    assert compared.refusal is not None
    assert "spec.selector" in compared.refusal.message


@in_event_loop
async def test_in_a_namespace_that_is_not_there_everything_is_missing(kube: Kube, namespace: str) -> None:
    wanted = config_map()
    wanted["metadata"]["namespace"] = f"{namespace}-later"
    assert await kube.compare(wanted) == Missing()


@in_event_loop
async def test_a_namespace_has_not_drifted_once_it_is_there(kube: Kube, namespace: str) -> None:
    wanted = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{namespace}-b"}}
    assert await kube.compare(wanted) == Missing()
    await kube.apply(wanted)
    assert await kube.compare(wanted) == Same({})
    await kube.delete("v1", "Namespace", f"{namespace}-b")


@in_event_loop
async def test_a_kind_is_missing_until_its_definition_is_applied(kube: Kube, namespace: str, cluster: Cluster) -> None:
    group = f"{namespace}.example.com"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "x"}, "spec": {"size": 1}}
    assert await kube.compare(definition(group)) == Missing()
    assert await kube.compare(widget) == Missing()
    await kube.apply(definition(group))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=30s")
    await kube.apply(widget)
    assert await kube.compare(widget) == Same({})
    assert await kube.compare(definition(group)) == Same({})
    await kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"widgets.{group}")
