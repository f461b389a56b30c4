"""`context.kube` on a real API server."""

from typing import Any

import pytest

from execloop.kube import PLAN_UID_LABEL, ApiError, Connection, Kube
from execloop.kube.objects import client as client_module
from tests.asynchronous import in_event_loop
from tests.cluster import Cluster


@pytest.fixture
def connection(cluster: Cluster) -> Connection:
    return Connection.load(cluster.kubeconfig)


@pytest.fixture
def kube(connection: Connection, namespace: str) -> Kube:
    return Kube.for_plan(connection, namespace=namespace, name="web", uid="uid-web")


def config_map(name: str = "x", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def names(objects: list[dict[str, Any]]) -> list[str]:
    return [item["metadata"]["name"] for item in objects]


@in_event_loop
async def test_what_is_created_is_there(kube: Kube, namespace: str) -> None:
    await kube.create(config_map(k="1"))
    there = await kube.get("v1", "ConfigMap", "x")
    assert there is not None
    assert (there["data"], there["metadata"]["namespace"]) == ({"k": "1"}, namespace)


@pytest.mark.parametrize(
    ("api_version", "kind", "place"),
    [("v1", "ConfigMap", None), ("v1", "ConfigMap", "no-such-namespace"), ("example.com/v1", "NoSuchKind", None)],
)
@in_event_loop
async def test_what_is_not_there_is_none(kube: Kube, api_version: str, kind: str, place: str | None) -> None:
    assert await kube.get(api_version, kind, "x", place) is None


@in_event_loop
async def test_what_is_there_cannot_be_created(kube: Kube) -> None:
    await kube.create(config_map())
    with pytest.raises(ApiError) as refused:
        await kube.create(config_map())
    assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")


@in_event_loop
async def test_what_is_created_is_marked_as_the_plans(kube: Kube, namespace: str) -> None:
    metadata = (await kube.create(config_map()))["metadata"]
    assert metadata["labels"] == {PLAN_UID_LABEL: "uid-web"}
    assert [entry["manager"] for entry in metadata["managedFields"]] == [f"execloop/{namespace}/web"]


@in_event_loop
async def test_what_a_plan_owns_is_what_carries_its_label(kube: Kube, connection: Connection, namespace: str) -> None:
    other = Kube.for_plan(connection, namespace=namespace, name="other", uid="uid-other")
    await kube.create(config_map("created"))
    await kube.apply(config_map("applied"))
    await other.create(config_map("of-another"))
    assert names(await kube.owned("v1", "ConfigMap")) == ["applied", "created"]


@in_event_loop
async def test_without_an_operator_it_is_what_was_written_by_its_manager(
    kube: Kube, connection: Connection, namespace: str
) -> None:
    outside = Kube(connection, namespace=namespace)
    await outside.create(config_map("created", k="1"))
    await outside.apply(config_map("applied"))
    await kube.create(config_map("of-a-plan"))
    for cached in (False, True):
        assert names(await outside.owned("v1", "ConfigMap", cached=cached)) == ["applied", "created"]


@in_event_loop
async def test_a_list_has_every_page(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_PAGE", 2)
    wanted = ["a", "b", "c", "d", "e"]
    for name in wanted:
        await kube.create(config_map(name))
    assert names(await kube.list("v1", "ConfigMap", label_selector=PLAN_UID_LABEL)) == wanted


@in_event_loop
async def test_a_listed_object_says_what_it_is(kube: Kube) -> None:
    await kube.create(config_map())
    [item] = await kube.list("v1", "ConfigMap", label_selector=PLAN_UID_LABEL)
    assert (item["apiVersion"], item["kind"]) == ("v1", "ConfigMap")


@in_event_loop
async def test_nothing_is_an_empty_list(kube: Kube) -> None:
    assert await kube.list("apps/v1", "Deployment") == []


@in_event_loop
async def test_a_list_may_be_of_one_namespace_or_of_all(kube: Kube, namespace: str) -> None:
    assert names(await kube.list("v1", "Service", "default")) == ["kubernetes"]
    assert "kubernetes" in names(await kube.list("v1", "Service", ""))
    assert await kube.list("v1", "Service") == []
    assert namespace in names(await kube.list("v1", "Namespace"))


@in_event_loop
async def test_a_list_of_an_unknown_kind_is_an_error_that_says_what_was_perhaps_meant(kube: Kube) -> None:
    with pytest.raises(ApiError, match="404 NoSuchKind: the cluster serves no kind Deployment in v1, only in apps/v1"):
        await kube.list("v1", "Deployment")


@in_event_loop
async def test_a_patch_merges(kube: Kube) -> None:
    await kube.create(config_map(a="1", b="2"))
    patched = await kube.patch("v1", "ConfigMap", "x", {"data": {"a": None, "c": "3"}})
    assert patched["data"] == {"b": "2", "c": "3"}


@in_event_loop
async def test_a_subresource_can_be_patched(kube: Kube) -> None:
    account = {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "x"}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await kube.create({**account, "spec": {"replicas": 0, "selector": {"a": "b"}, "template": template}})
    scale = await kube.patch("v1", "ReplicationController", "x", {"spec": {"replicas": 2}}, subresource="scale")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 2)


@in_event_loop
async def test_what_is_deleted_is_gone_and_may_be_deleted_again(kube: Kube) -> None:
    await kube.create(config_map())
    await kube.delete("v1", "ConfigMap", "x")
    assert await kube.get("v1", "ConfigMap", "x") is None
    await kube.delete("v1", "ConfigMap", "x")
    await kube.delete("example.com/v1", "NoSuchKind", "x")


@in_event_loop
async def test_a_kind_without_namespaces_ignores_one(kube: Kube, namespace: str) -> None:
    there = await kube.get("v1", "Namespace", namespace, "default")
    assert there is not None
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    made = await kube.apply({**role, "metadata": {"name": namespace, "namespace": "default"}}, dry_run=True)
    assert "namespace" not in made["metadata"]


@in_event_loop
async def test_who_may_not_is_told_what_and_why(connection: Connection, namespace: str) -> None:
    kube = Kube(connection.impersonating(namespace, "nobody"), namespace=namespace)
    with pytest.raises(ApiError) as refused:
        await kube.get("v1", "Secret", "x")
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")
    assert str(refused.value).startswith(f"GET secrets {namespace}/x: 403 Forbidden: secrets")
    assert f"system:serviceaccount:{namespace}:nobody" in str(refused.value)


@in_event_loop
async def test_a_wrong_object_is_told_as_the_server_says_it(kube: Kube) -> None:
    with pytest.raises(ApiError) as refused:
        await kube.apply({**config_map("Not A Name")})
    assert (refused.value.status, refused.value.reason) == (422, "Invalid")
    assert "metadata.name" in refused.value.message
