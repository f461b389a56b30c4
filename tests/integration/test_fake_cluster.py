"""The API server in memory that unit tests use, held to what the real one does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import pytest

from execloop.kube import MERGE_PATCH, ApiError, Connection, Kube
from tests.asynchronous import in_event_loop
from tests.fake_cluster import FakeCluster

Object: TypeAlias = dict[str, Any]


class Plans:
    """The Plans of one namespace."""

    def __init__(self, kube: Kube, namespace: str, forget: Callable[[], None] = lambda: None) -> None:
        self.forget = forget
        """Compact what happened; the real one has forgotten its first version for long."""
        self._kube, self._collection = kube, f"/apis/execloop.dev/v1alpha1/namespaces/{namespace}/plans"

    async def create(self, **metadata: Any) -> Object:
        """Named `a` unless said otherwise."""
        body = {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "a", **metadata}}
        return await self._kube.request("POST", self._collection, body={**body, "spec": {"plan": "noop"}})

    async def get(self) -> Object:
        return await self._kube.request("GET", f"{self._collection}/a")

    async def page(self, **query: str) -> Object:
        return await self._kube.request("GET", self._collection, query=query)

    async def events(self, version: str, count: int, **query: str) -> list[Object]:
        """The first events of a watch from a version on."""
        found: list[Object] = []
        query = {**query, "watch": "true", "resourceVersion": version, "timeoutSeconds": "30"}
        async with asyncio.timeout(30), aclosing(self._kube.stream(self._collection, query)) as stream:
            async for event in stream:
                found.append(event)
                if len(found) == count:
                    break
        return found

    async def put(self, body: Object, subresource: str = "") -> Object:
        path = f"{self._collection}/{body['metadata']['name']}{subresource}"
        return await self._kube.request("PUT", path, body=body)

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
            fake = FakeCluster()
            yield Plans(fake.kube, "team", fake.server.compact)
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


@in_event_loop
async def test_a_put_of_the_status_takes_nothing_else_and_loses_nothing_else(served: Served) -> None:
    async with served() as plans:
        labels = {"metadata": {"labels": {"team": "ours"}, "finalizers": ["example.com/held"]}}
        await plans.create()
        await plans.patch({"status": {"progress": "1/2"}}, "/status")
        before = await plans.patch(labels)
        metadata = {name: before["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
        body = {key: before[key] for key in ("apiVersion", "kind") if key in before}
        written = await plans.put({**body, "metadata": metadata, "status": {"observedGeneration": 1}}, "/status")
        assert (written["status"], written["spec"]) == ({"observedGeneration": 1}, before["spec"])
        for name in ("labels", "finalizers", "generation", "uid"):
            assert written["metadata"][name] == before["metadata"][name]


@pytest.mark.parametrize("stale", [{"resourceVersion": "1"}, {"uid": "another"}])
@in_event_loop
async def test_a_put_of_the_status_on_another_version_or_uid_conflicts(served: Served, stale: Object) -> None:
    async with served() as plans:
        made = await plans.create()
        body = {**made, "metadata": {**made["metadata"], **stale}, "status": {"observedGeneration": 1}}
        assert await refused(plans.put(body, "/status")) == (409, "Conflict")


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


def told(events: list[Object]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


@in_event_loop
async def test_a_watch_tells_every_change_after_a_version_in_order(served: Served) -> None:
    async with served() as plans:
        start = version(await plans.page())
        made = await plans.create()
        changed = await plans.patch({"metadata": {"labels": {"team": "ours"}}})
        written = await plans.patch({"status": {"progress": "1/2"}}, "/status")
        await plans.delete()
        events = await plans.events(start, 4)
        assert told(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        assert [version(event["object"]) for event in events[:3]] == [version(made), version(changed), version(written)]
        assert int(version(events[3]["object"])) > int(version(written))
        assert events[3]["object"]["status"] == written["status"]
        assert told(await plans.events(version(changed), 2)) == [("MODIFIED", "a"), ("DELETED", "a")]


@in_event_loop
async def test_a_watch_without_a_version_tells_first_what_is_there(served: Served) -> None:
    async with served() as plans:
        for name in ("b", "a"):
            await plans.create(name=name)
        assert sorted(told(await plans.events("", 2))) == [("ADDED", "a"), ("ADDED", "b")]


@in_event_loop
async def test_a_selection_tells_of_what_leaves_it_as_of_a_deletion(served: Served) -> None:
    async with served() as plans:
        start = version(await plans.page())
        for name in ("a", "b"):
            await plans.create(name=name, labels={"team": "ours"})
        await plans.patch({"metadata": {"labels": None}})
        events = await plans.events(start, 3, labelSelector="team")
        assert told(events) == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]
        assert told(await plans.events(start, 1, fieldSelector="metadata.name=b")) == [("ADDED", "b")]


@in_event_loop
async def test_a_watch_from_too_long_ago_ends_with_gone(served: Served) -> None:
    async with served() as plans:
        await plans.create()
        plans.forget()
        [event] = await plans.events("1", 1)
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


@in_event_loop
async def test_the_pages_of_a_list_are_of_one_version(served: Served) -> None:
    async with served() as plans:
        for name in ("c", "a", "b"):
            await plans.create(name=name)
        first = await plans.page(limit="2")
        assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
        await plans.create(name="d")
        rest = await plans.page(limit="2", **{"continue": first["metadata"]["continue"]})
        assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]
        assert (version(rest), rest["metadata"].get("continue", "")) == (version(first), "")


@in_event_loop
async def test_a_status_field_is_removed_by_null_and_a_list_replaced_whole(served: Served) -> None:
    async with served() as plans:
        await plans.create()
        await plans.patch(
            {"status": {"progress": "1/2", "pending": {"digest": "x", "count": 2, "tasks": ["a", "b"]}}}, "/status"
        )
        written = await plans.patch({"status": {"progress": None, "pending": {"tasks": ["c"]}}}, "/status")
        pending = {"digest": "x", "count": 2, "tasks": ["c"]}
        assert written["status"] == {"observedGeneration": -1, "pending": pending}


@in_event_loop
async def test_what_is_being_deleted_takes_no_new_finalizer(served: Served) -> None:
    async with served() as plans:
        await plans.create(finalizers=["example.com/hold"])
        await plans.delete()
        both = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
        assert (await refused(plans.patch(both)))[0] == 422
        assert "deletionTimestamp" in (await plans.delete())["metadata"]
        await plans.patch({"metadata": {"finalizers": None}})


@in_event_loop
async def test_an_update_is_refused_on_an_older_version(served: Served) -> None:
    async with served() as plans:
        made = await plans.create()
        newer = await plans.put({**made, "spec": {**made["spec"], "plan": "another"}})
        assert (newer["metadata"]["generation"], newer["metadata"]["uid"]) == (2, made["metadata"]["uid"])
        assert await refused(plans.put(made)) == (409, "Conflict")


@in_event_loop
async def test_a_patch_with_the_uid_of_another_is_refused(served: Served) -> None:
    async with served() as plans:
        made = await plans.create()
        metadata = {"uid": "another", "resourceVersion": version(made), "labels": {"team": "ours"}}
        assert await refused(plans.patch({"metadata": metadata})) == (422, "Invalid")
