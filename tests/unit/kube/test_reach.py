"""What a client may touch for a Plan that acts with the operator's own rights."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from execloop.kube import ApiError, Kube
from execloop.kube.objects.reach import Reach
from tests.fake_cluster import FakeCluster


@pytest.mark.parametrize(
    ("others", "kind", "namespace", "allowed"),
    [
        ((), "ConfigMap", "team", True),
        ((), "ConfigMap", "other", False),
        ((), "ConfigMap", "", False),
        ((), "ClusterRole", None, False),
        (("other",), "ConfigMap", "other", True),
        (("team-*",), "ConfigMap", "team-b", True),
        (("team-*",), "ConfigMap", "other", False),
        (("team-*",), "ConfigMap", "", False),
        (("*",), "ConfigMap", "", True),
        (("*",), "ClusterRole", None, False),
        (("ClusterRole",), "ClusterRole", None, True),
        (("Namespace",), "ClusterRole", None, False),
        (("ConfigMap",), "ConfigMap", "other", False),
    ],
)
def test_it_is_the_own_namespace_and_what_an_administrator_names(
    others: tuple[str, ...], kind: str, namespace: str | None, allowed: bool
) -> None:
    refusal = Reach("team", others).refusal(kind, namespace)
    assert (refusal is None) == allowed
    assert refusal is None or "spec.serviceAccountName" in refusal


def config_map(namespace: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace}}


REQUESTS: dict[str, Callable[[Kube], Coroutine[Any, Any, Any]]] = {
    "get": lambda kube: kube.get("v1", "ConfigMap", "c", "other"),
    "list": lambda kube: kube.list("v1", "ConfigMap", "other"),
    "list of all": lambda kube: kube.list("v1", "ConfigMap", ""),
    "apply": lambda kube: kube.apply(config_map("other")),
    "compare": lambda kube: kube.compare(config_map("other")),
    "create": lambda kube: kube.create(config_map("other")),
    "patch": lambda kube: kube.patch("v1", "ConfigMap", "c", {}, "other"),
    "delete": lambda kube: kube.delete("v1", "ConfigMap", "c", "other"),
    "request": lambda kube: kube.request("GET", "/api/v1/namespaces/team/configmaps/c"),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_what_is_out_of_reach_is_not_asked_for(request_: Callable[[Kube], Coroutine[Any, Any, Any]]) -> None:
    async def tried() -> int:
        cluster = FakeCluster()
        kube = Kube.for_plan(cluster.connection, namespace="team", name="a", uid="u", reach=Reach("team"))
        await cluster.discovery.find("v1", "ConfigMap")
        before = cluster.requests
        with pytest.raises(ApiError) as refused:
            await request_(kube)
        assert refused.value.status == 403
        return cluster.requests - before

    assert asyncio.run(tried()) == 0


def test_what_is_within_reach_is_done() -> None:
    async def tried() -> Any:
        cluster = FakeCluster()
        kube = Kube.for_plan(cluster.connection, namespace="team", name="a", uid="u", reach=Reach("team"))
        await kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})
        return await kube.get("v1", "ConfigMap", "c")

    assert asyncio.run(tried())["metadata"]["namespace"] == "team"
