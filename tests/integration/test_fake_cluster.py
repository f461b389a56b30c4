"""The API server in memory that unit tests use, held to what the real one does."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest

from execloop.kube import MERGE_PATCH, ApiError, Connection, Kube
from tests.asynchronous import in_event_loop
from tests.fake_cluster import FakeCluster

Object: TypeAlias = dict[str, Any]


class Plans:
    """The Plans of one namespace."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._collection = kube, f"/apis/execloop.dev/v1alpha1/namespaces/{namespace}/plans"

    async def create(self, **metadata: Any) -> Object:
        body = {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "a", **metadata}}
        return await self._kube.request("POST", self._collection, body={**body, "spec": {"plan": "noop"}})

    async def get(self) -> Object:
        return await self._kube.request("GET", f"{self._collection}/a")

    async def names(self) -> list[str]:
        listed = await self._kube.request("GET", self._collection)
        return [item["metadata"]["name"] for item in listed["items"]]

    async def patch(self, body: Object, subresource: str = "") -> Object:
        path = f"{self._collection}/a{subresource}"
        return await self._kube.request("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def delete(self, **preconditions: str) -> Object:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        return await self._kube.request("DELETE", f"{self._collection}/a", body=options)


Served: TypeAlias = Callable[[], Any]


@pytest.fixture(params=["real", "fake"])
def served(request: pytest.FixtureRequest) -> Served:
    @asynccontextmanager
    async def plans() -> AsyncIterator[Plans]:
        if request.param == "fake":
            yield Plans(FakeCluster().kube, "team")
            return
        request.getfixturevalue("crd")
        connection = Connection.load(request.getfixturevalue("cluster").kubeconfig)
        try:
            yield Plans(Kube(connection), request.getfixturevalue("namespace"))
        finally:
            await connection.close()

    return plans


def version(body: Object) -> str:
    return str(body["metadata"]["resourceVersion"])


async def refused(request: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        await request
    return error.value.status, error.value.reason


@in_event_loop
async def test_a_new_plan_has_an_identity_a_generation_and_a_status_that_says_unseen(served: Served) -> None:
    async with served() as plans:
        made = await plans.create()
        assert (made["metadata"]["generation"], made["status"]) == (1, {"observedGeneration": -1})
        assert made["metadata"]["uid"]
        assert await plans.names() == ["a"]
        assert await refused(plans.create()) == (409, "AlreadyExists")


@in_event_loop
async def test_what_is_not_there_is_not_found(served: Served) -> None:
    async with served() as plans:
        for request in (plans.get(), plans.patch({}, "/status"), plans.delete()):
            assert await refused(request) == (404, "NotFound")


@in_event_loop
async def test_a_status_is_written_through_its_subresource_alone(served: Served) -> None:
    async with served() as plans:
        made = await plans.create()
        assert (await plans.patch({"status": {"progress": "1/2"}}))["status"] == made["status"]
        body = {"status": {"progress": "1/2"}, "spec": {"plan": "another"}, "metadata": {"labels": {"team": "ours"}}}
        written = await plans.patch(body, "/status")
        assert written["status"] == {"observedGeneration": -1, "progress": "1/2"}
        assert (written["spec"]["plan"], "labels" in written["metadata"]) == ("noop", False)


@pytest.mark.parametrize(
    ("body", "subresource", "generation"),
    [
        ({"spec": {"plan": "another"}}, "", 2),
        ({"metadata": {"labels": {"team": "ours"}}}, "", 1),
        ({"status": {"progress": "1/2"}}, "/status", 1),
    ],
)
@in_event_loop
async def test_the_generation_follows_the_spec_and_the_version_everything(
    served: Served, body: Object, subresource: str, generation: int
) -> None:
    async with served() as plans:
        made = await plans.create()
        changed = await plans.patch(body, subresource)
        assert changed["metadata"]["generation"] == generation
        assert int(version(changed)) > int(version(made))


@pytest.mark.parametrize(
    ("body", "subresource"),
    [({"spec": {"plan": "noop"}}, ""), ({"status": {"observedGeneration": -1}}, "/status"), ({}, "/status")],
)
@in_event_loop
async def test_a_patch_that_changes_nothing_writes_nothing(served: Served, body: Object, subresource: str) -> None:
    async with served() as plans:
        await plans.create()
        first = await plans.patch(body, subresource)  # the real one may note who patches
        assert version(await plans.patch(body, subresource)) == version(first)


@pytest.mark.parametrize("subresource", ["", "/status"])
@in_event_loop
async def test_a_patch_on_an_older_version_conflicts(served: Served, subresource: str) -> None:
    async with served() as plans:
        made = await plans.create()
        await plans.patch({"metadata": {"labels": {"team": "ours"}}})
        stale = {"metadata": {"resourceVersion": version(made)}, "status": {"progress": "1/2"}}
        assert await refused(plans.patch(stale, subresource)) == (409, "Conflict")
        stale["metadata"]["resourceVersion"] = version(await plans.get())
        await plans.patch(stale, subresource)


@in_event_loop
async def test_a_plan_goes_at_once_or_when_its_last_finalizer_has(served: Served) -> None:
    async with served() as plans:
        await plans.create()
        await plans.delete()
        assert await refused(plans.get()) == (404, "NotFound")
        made = await plans.create(finalizers=["example.com/hold"])
        await plans.delete()
        held = await plans.get()
        assert "deletionTimestamp" in held["metadata"]
        assert held["metadata"]["generation"] == made["metadata"]["generation"] + 1
        await plans.patch({"metadata": {"finalizers": None}})
        assert await refused(plans.get()) == (404, "NotFound")


@in_event_loop
async def test_a_deletion_may_be_of_one_version_alone(served: Served) -> None:
    async with served() as plans:
        made = await plans.create()
        uid, stale = made["metadata"]["uid"], version(made)
        newest = version(await plans.patch({"metadata": {"labels": {"team": "ours"}}}))
        assert await refused(plans.delete(uid=uid, resourceVersion=stale)) == (409, "Conflict")
        assert await refused(plans.delete(uid="another", resourceVersion=newest)) == (409, "Conflict")
        await plans.delete(uid=uid, resourceVersion=newest)
        assert await plans.names() == []
