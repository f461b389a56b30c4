"""What reads from the operator's watch cost and say, on a real API server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from execloop import Whole
from execloop.controller.plancode.clients import Clients
from execloop.controller.watch.cache import Key
from execloop.controller.watch.cached_reads import CachedReads
from execloop.controller.watch.drift import DriftWatches
from execloop.kube import ApiError, Connection, Kube
from tests.asynchronous import in_event_loop
from tests.cluster import Cluster
from tests.faults.proxy import Asked, Proxy
from tests.integration.conftest import Kubectl
from tests.integration.operating import Plans, manifest, operating

MAPS = ("v1", "ConfigMap")


class Plan:
    watches = (Whole(*MAPS),)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def of_config_maps(asked: Asked) -> bool:
    return "/configmaps" in asked.path and not asked.watches


class Site:
    """The watches of an operator, and the clients of its Plan `web`, behind a proxy."""

    def __init__(self, others: Kube, proxy: Proxy, namespace: str) -> None:
        self.others, self.proxy, self.namespace = others, proxy, namespace
        self.connection = Connection.load(proxy.kubeconfig)
        self.drift = DriftWatches(Kube(self.connection), (namespace,), lambda _: None)
        self.answered: list[bool] = []
        self._clients = Clients(self.connection, CachedReads(self.drift.whole, self.answered.append))
        self.drift.declare(Key(namespace, "web"), "uid-web", Plan)

    def kube(self, account: str | None = None) -> Kube:
        return self._clients.kube(Key(self.namespace, "web"), "uid-web", account)

    async def cached(self) -> dict[str, Any]:
        """Return the data of the Plan's own ConfigMaps by name."""
        return {one["metadata"]["name"]: one["data"] for one in await self.kube().owned(*MAPS, cached=True)}

    async def until(self, holds: Callable[[], Any], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while not await holds():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.02)

    async def answers(self) -> bool:
        """Return whether the cache answers."""
        await self.cached()
        return self.answered[-1]


@asynccontextmanager
async def site(cluster: Cluster, namespace: str, folder: Path) -> AsyncIterator[Site]:
    others = Kube(Connection.load(cluster.kubeconfig), namespace=namespace)
    with Proxy.before(cluster, folder) as proxy:
        made = Site(others, proxy, namespace)
        try:
            await made.until(made.answers)
            yield made
        finally:
            await made.drift.close()
            await made.connection.close()
            await others.connection.close()


def test_three_objects_cost_three_writes_and_the_status(
    cluster: Cluster, plans: Plans, namespace: str, tmp_path: Path
) -> None:
    with (
        Proxy.before(cluster, tmp_path) as proxy,
        operating(cluster, [namespace], tmp_path, kubeconfig=proxy.kubeconfig),
    ):
        plans.apply(manifest("first", "cached-maps", interval="1h"))
        plans.wait("first")  # its first look began the watch
        plans.until(lambda: proxy.under_way(lambda asked: "/configmaps" in asked.path) > 0, "the watch is open")
        began = time.monotonic()
        plans.apply(manifest("second", "cached-maps", interval="1h"))
        plans.wait("second")
        mine = [each for each in proxy.asked if each.at >= began and not each.watches]
        work = [each for each in mine if "/configmaps" in each.path]
        assert [each.method for each in work] == ["PATCH"] * 3
        assert [each.method for each in mine if each.path.endswith("/plans/second/status")] in (["PATCH"], ["PUT"])
        began = time.monotonic()
        plans.annotate("second", requestedAt="now")
        plans.until(lambda: plans.status("second").get("lastHandledReconcileAt") == "now", "it was asked again")
        assert proxy.count(of_config_maps, since=began) == 0
        plans.kubectl("delete", "configmap", "second-1")
        plans.until(lambda: "second-1" in plans.kubectl("get", "configmaps"), "the drift is repaired")


@in_event_loop
async def test_no_state_is_older_than_the_plans_own_write(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    async with site(cluster, namespace, tmp_path) as found:
        kube = found.kube()
        for number in range(30):
            await kube.apply(config_map("a", value=str(number)))
            assert await found.cached() == {"a": {"value": str(number)}}
            await kube.delete(*MAPS, "a")
            assert await found.cached() == {}
            await kube.create(config_map("a", value="new"))
            assert await found.cached() == {"a": {"value": "new"}}
            await kube.patch(*MAPS, "a", {"data": {"value": "patched"}})
            read = await kube.get(*MAPS, "a", cached=True)
            assert read is not None
            assert read["data"] == {"value": "patched"}
        assert found.answered.count(False) < len(found.answered) / 2  # after a deletion, until the watch reports it


@in_event_loop
async def test_what_others_do_is_read_after_the_watch_reports_it(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    async with site(cluster, namespace, tmp_path) as found:
        await found.kube().apply(config_map("a", value="1"))
        old = await found.kube().get(*MAPS, "a", cached=True)
        assert old is not None
        await found.others.delete(*MAPS, "a")
        metadata = {"name": "a", "labels": old["metadata"]["labels"]}
        await found.others.create({**config_map("a", value="2"), "metadata": metadata})

        async def shows_the_new_one() -> bool:
            return (await found.cached()).get("a") == {"value": "2"}

        await found.until(shows_the_new_one)
        new = await found.kube().get(*MAPS, "a", cached=True)
        assert new is not None
        assert new["metadata"]["uid"] != old["metadata"]["uid"]
        assert found.answered[-1]


@in_event_loop
async def test_while_the_watch_is_cut_off_reads_are_live(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    async with site(cluster, namespace, tmp_path) as found:
        await found.kube().apply(config_map("a", value="1"))

        def refuses(asked: Asked) -> bool:
            return "/configmaps" in asked.path and asked.watches

        async def asks_live() -> bool:
            return not await found.answers()

        with found.proxy.failing(refuses, _gone):
            found.proxy.cut(refuses)
            await found.until(asks_live)
            await found.others.patch(*MAPS, "a", {"data": {"value": "2"}})
            assert await found.cached() == {"a": {"value": "2"}}
            assert not found.answered[-1]
        await found.until(found.answers)
        assert await found.cached() == {"a": {"value": "2"}}


async def _gone(exchange: Any) -> Any:
    exchange.cut()
    return await exchange.pass_on(0)


@in_event_loop
async def test_a_service_account_reads_what_its_own_rights_allow(
    cluster: Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    kubectl("create", "serviceaccount", "reader")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:reader")
    kubectl("create", "serviceaccount", "nobody")
    async with site(cluster, namespace, tmp_path) as found:
        await found.kube().apply(config_map("a", value="1"))

        async def has_rights() -> bool:
            try:
                return bool(await found.kube("reader").list(*MAPS))
            except ApiError:
                return False

        await found.until(has_rights)
        for account, refused in (("reader", False), ("nobody", True)):
            kube = found.kube(account)
            for read in (kube.get(*MAPS, "a", cached=True), kube.owned(*MAPS, cached=True)):
                if refused:
                    with pytest.raises(ApiError, match="Forbidden"):
                        await read
                else:
                    assert await read
                assert found.answered[-1] is not refused
