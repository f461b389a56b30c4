"""Which reads of plan code the watches answer, for whom, and what they learn of its writes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from execloop import Whole
from execloop.controller.plancode.clients import Clients
from execloop.controller.watch.cache import Key
from execloop.controller.watch.cached_reads import CachedReads
from execloop.controller.watch.drift import DriftWatches
from execloop.kube import PLAN_UID_LABEL, ApiError, Connection, Kube
from execloop.kube.objects.reach import Reach
from tests.asynchronous import in_event_loop
from tests.fake_cluster import FakeCluster

A, B = Key("team", "a"), Key("team", "b")
MAPS = ("v1", "ConfigMap")


class Account:
    """A connection as a service account, whose rights a test sets."""

    def __init__(self, cluster: FakeCluster, user: str, allowed: Callable[[dict[str, Any]], bool]) -> None:
        self._cluster, self._allowed = cluster, allowed
        self.impersonated = user
        self.discovery = cluster.discovery
        self.asked: list[dict[str, Any]] = []

    async def request(self, method: str, path: str, **options: Any) -> Any:
        if path.endswith("selfsubjectaccessreviews"):
            asked = options["body"]["spec"]["resourceAttributes"]
            self.asked.append(asked)
            return {"status": {"allowed": self._allowed(asked)}}
        return await self._cluster.request(method, path, **options)


class Site:
    """A cluster, the watches of an operator, and the clients of its Plans."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.cluster.impersonated = None  # type: ignore[attr-defined]  # as a Connection has it
        self.answered: list[bool] = []
        self.drift = DriftWatches(self.cluster.kube, (), lambda _: None)
        self.reads = CachedReads(self.drift.whole, self.answered.append)

    def kube(self, key: Key, reach: Reach | None = None) -> Kube:
        return Clients(self.cluster.connection, self.reads).kube(key, f"uid-{key.name}", None, reach)

    def acting_as(self, account: Account, key: Key) -> Kube:
        connection = cast("Connection", account)
        return Kube.for_plan(
            connection, namespace=key.namespace, name=key.name, uid=f"uid-{key.name}", cached=self.reads
        )

    async def asked(self, read: Any) -> tuple[Any, int]:
        """Return what a read answers, and how many requests it took."""
        before = self.cluster.requests
        return await read, self.cluster.requests - before


class Plan:
    watches = (Whole(*MAPS),)


@asynccontextmanager
async def site(*keys: Key) -> AsyncIterator[Site]:
    """Return a site where Plans declared whole ConfigMaps, and their watch follows."""
    made = Site()
    try:
        await made.kube(A).get(*MAPS, "none")  # the kind is known from now on
        for key in keys:
            made.drift.declare(key, f"uid-{key.name}", Plan)
        await settle()
        yield made
    finally:
        await made.drift.close()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


class TestRequests:
    @in_event_loop
    async def test_a_plan_looks_creates_and_looks_again_with_no_request_but_its_creates(self) -> None:
        async with site(A) as found:
            kube = found.kube(A)
            assert await found.asked(kube.owned(*MAPS, cached=True)) == ([], 0)
            for name in "xyz":
                await kube.create(config_map(name))
            owned, requests = await found.asked(kube.owned(*MAPS, cached=True))
            assert ([one["metadata"]["name"] for one in owned], requests) == (["x", "y", "z"], 0)
            assert found.answered == [True, True]

    @in_event_loop
    async def test_without_a_watch_of_whole_objects_one_list_by_the_plans_label_is_read(self) -> None:
        async with site() as found:
            await found.kube(A).create(config_map("mine"))
            await found.kube(B).create(config_map("theirs"))
            for cached in (False, True):
                owned, requests = await found.asked(found.kube(A).owned(*MAPS, cached=cached))
                assert ([one["metadata"]["name"] for one in owned], requests) == (["mine"], 1)
            assert found.answered == [False]

    @in_event_loop
    async def test_a_get_of_what_the_watch_does_not_know_asks_the_server(self) -> None:
        async with site(A) as found:
            await found.cluster.kube.create({**config_map("other"), "metadata": {"name": "other", "namespace": "team"}})
            await found.kube(A).create(config_map("mine"))
            for name, requests in (("mine", 0), ("other", 1), ("none", 1)):
                read, asked = await found.asked(found.kube(A).get(*MAPS, name, cached=True))
                assert (read is not None, asked) == (name != "none", requests)

    @in_event_loop
    async def test_live_reads_are_the_default(self) -> None:
        async with site(A) as found:
            await found.kube(A).create(config_map("mine"))
            assert (await found.asked(found.kube(A).get(*MAPS, "mine")))[1] == 1
            assert (await found.asked(found.kube(A).owned(*MAPS)))[1] == 1
            assert found.answered == []


class TestOwnWrites:
    @in_event_loop
    async def test_each_kind_of_write_is_seen_before_the_watch_reports_it(self) -> None:
        async with site(A) as found:
            kube = found.kube(A)
            for write, data in (
                (kube.create(config_map("x", k="1")), {"k": "1"}),
                (kube.patch(*MAPS, "x", {"data": {"k": "2"}}), {"k": "2"}),
            ):
                await write
                read = await kube.get(*MAPS, "x", cached=True)
                assert read is not None
                assert read["data"] == data
            await kube.delete(*MAPS, "x")
            assert await kube.get(*MAPS, "x", cached=True) is None
            assert await kube.owned(*MAPS, cached=True) == []

    @in_event_loop
    async def test_after_a_write_without_an_answer_the_server_is_asked(self) -> None:
        async with site(A) as found:
            kube = found.kube(A)
            found.cluster.fail_next(0, "Timeout")
            with pytest.raises(ApiError, match="Timeout"):
                await kube.create(config_map("x"))
            assert (await found.asked(kube.owned(*MAPS, cached=True)))[1] == 1

    @in_event_loop
    async def test_after_a_write_that_was_refused_it_is_not(self) -> None:
        async with site(A) as found:
            kube = found.kube(A)
            found.cluster.fail_next(403, "Forbidden")
            with pytest.raises(ApiError, match="Forbidden"):
                await kube.create(config_map("x"))
            assert (await found.asked(kube.owned(*MAPS, cached=True)))[1] == 0


class TestRights:
    @in_event_loop
    async def test_no_plan_reads_the_objects_of_another(self) -> None:
        async with site(A, B) as found:
            await found.kube(B).create(config_map("theirs", secret="1"))
            await settle()
            assert await found.kube(A).owned(*MAPS, cached=True) == []
            assert (await found.asked(found.kube(A).get(*MAPS, "theirs", cached=True)))[1] == 1

    @in_event_loop
    async def test_what_is_out_of_reach_is_refused_before_anything_is_looked_up(self) -> None:
        async with site(A) as found:
            kube = found.kube(A, Reach("team"))
            for read in (kube.get(*MAPS, "x", "other", cached=True), kube.owned(*MAPS, "", cached=True)):
                with pytest.raises(ApiError, match="Forbidden"):
                    await read
            assert found.answered == []

    @in_event_loop
    async def test_an_account_is_asked_once_a_minute_whether_it_may_read(self) -> None:
        async with site(A) as found:
            account = Account(found.cluster, "system:serviceaccount:team:worker", lambda _: True)
            kube = found.acting_as(account, A)
            await kube.create(config_map("x"))
            for _ in range(3):
                assert (await found.asked(kube.get(*MAPS, "x", cached=True)))[1] == 0
                assert len(await kube.owned(*MAPS, cached=True)) == 1
            about = {"group": "", "resource": "configmaps", "namespace": "team"}
            assert account.asked == [{"verb": "get", **about}, {"verb": "list", **about}]

    @in_event_loop
    async def test_who_may_not_read_gets_the_servers_own_answer(self) -> None:
        async with site(A) as found:
            account = Account(found.cluster, "system:serviceaccount:team:nobody", lambda _: False)
            await found.kube(A).create(config_map("x"))
            for _ in range(2):
                assert (await found.asked(found.acting_as(account, A).get(*MAPS, "x", cached=True)))[1] == 1
            assert len(account.asked) == 1

    @in_event_loop
    async def test_the_label_of_another_client_shows_no_object_of_another_namespace(self) -> None:
        async with site(A) as found:
            labels = {PLAN_UID_LABEL: "uid-a"}
            await found.cluster.kube.create(
                {**config_map("bait"), "metadata": {"name": "bait", "namespace": "other", "labels": labels}}
            )
            await settle()
            assert await found.kube(A).owned(*MAPS, cached=True) == []
