"""The API server's own filter of ranges, an alpha feature: `--shard-selector`."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from execloop.controller.watch.cache import Key
from execloop.controller.watch.plans import PlanWatch
from execloop.kube import Connection
from execloop.kube.lease.ranges import range_of, shard_selector
from tests.asynchronous import in_event_loop
from tests.cluster import Cluster, NoCluster, provide
from tests.cluster.controlplane import API_SERVER_FLAGS
from tests.integration.operating import Plans, manifest
from tests.integration.replicas import replica

_CRDS = Path(__file__).parents[2] / "crds" / "execloop.dev_plans.yaml"
NAMES = [f"plan-{number}" for number in range(24)]


@pytest.fixture(scope="module")
def filtering() -> Iterator[Cluster]:
    """A control plane whose API server knows `shardSelector`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(API_SERVER_FLAGS, "--feature-gates=ShardedListAndWatch=true")
        try:
            with provide() as cluster:
                if cluster.supervisor is None:
                    pytest.skip(f"the flags of the API server at {cluster.server} are not ours to choose")
                cluster.kubectl("apply", "--server-side", f"--filename={_CRDS}")
                cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"--filename={_CRDS}")
                yield cluster
        except NoCluster as none:
            pytest.skip(str(none))


class Counting:
    def __init__(self) -> None:
        self.uids: list[str] = []
        self.listed_all = asyncio.Event()

    def seen(self, _kind: str | None, body: dict[str, Any]) -> None:
        self.uids.append(body["metadata"]["uid"])

    def listed(self, _namespace: str | None, _present: set[Key]) -> None:
        self.listed_all.set()


async def received(cluster: Cluster, namespace: str, shard: str, plans: Plans) -> list[str]:
    """The uid of each object that a list and a watch bring, while every Plan is edited once."""
    counting, stop = Counting(), asyncio.Event()
    connection = Connection.load(cluster.kubeconfig)
    watch = PlanWatch(connection, [namespace], counting, shard=lambda: shard)
    running = asyncio.create_task(watch.run(stop))
    try:
        async with asyncio.timeout(30):
            await counting.listed_all.wait()
            await asyncio.to_thread(plans.kubectl, "annotate", "plan", "--all", "--overwrite", f"edited={id(counting)}")
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    while len(counting.uids) < 2 * len(NAMES):  # noqa: ASYNC110 - what is not sent sets no event
                        await asyncio.sleep(0.05)
    finally:
        stop.set()
        await running
        await connection.close()
    return counting.uids


@in_event_loop
async def test_the_api_server_sends_the_plans_of_the_asked_ranges_only(filtering: Cluster) -> None:
    plans = Plans(filtering)
    await asyncio.to_thread(plans.apply, *(manifest(name, "marks") for name in NAMES))
    whole = await received(filtering, "default", "", plans)
    assert len(whole) == 2 * len(NAMES)
    some = await received(filtering, "default", shard_selector([0, 2], 4), plans)
    assert sorted(some) == sorted(uid for uid in whole if range_of(uid, 4) in {0, 2})
    plans.kubectl("delete", "plan", "--all")


def test_replicas_converge_all_plans_and_wait_for_those_of_the_other(filtering: Cluster, tmp_path: Path) -> None:
    plans, options = Plans(filtering), ("--shards=4", "--shard-selector")
    with (
        replica(filtering, "default", tmp_path, *options) as one,
        replica(filtering, "default", tmp_path, *options) as two,
    ):
        plans.until(lambda: sorted(len(each.owned(4)) for each in (one, two)) == [2, 2], "each has two ranges")
        plans.apply(*(manifest(name, "marks", dependsOn=[{"name": "first"}]) for name in NAMES))
        plans.until(
            lambda: all(plans.condition(name) == ("False", "DependencyNotReady") for name in NAMES), "they wait"
        )
        plans.apply(manifest("first", "marks"))
        for name in ["first", *NAMES]:
            plans.wait(name)
        assert "sends only the Plans of this replica's ranges" in one.operator.said()
    plans.kubectl("delete", "plan", "--all")
