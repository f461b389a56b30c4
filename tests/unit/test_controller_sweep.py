"""Plans that went while nobody told of it."""

import asyncio
from contextlib import suppress

import pytest

from execloop.controller.sweep import sweep
from execloop.controller.track import Cache, Key
from execloop.testing import FakeClock
from tests.fake_cluster import FakeCluster
from tests.virtual_time import run_virtually

PLANS = "/apis/execloop.dev/v1alpha1/namespaces/{}/plans"


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def cache() -> Cache:
    return Cache()


def make(cluster: FakeCluster, cache: Cache, key: Key) -> None:
    """A Plan that is there, and known."""
    body = {"kind": "Plan", "metadata": {"name": key.name, "namespace": key.namespace}, "spec": {}}
    cache.put(key, cluster.answer("POST", PLANS.format(key.namespace), body))


def remove(cluster: FakeCluster, key: Key) -> None:
    cluster.answer("DELETE", f"{PLANS.format(key.namespace)}/{key.name}")


def swept(cluster: FakeCluster, cache: Cache, seconds: float) -> list[Key]:
    """What is still known after so long."""

    async def main() -> None:
        sweeping = asyncio.create_task(sweep(cluster.kube, cache))
        await asyncio.sleep(seconds)
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping

    run_virtually(FakeClock(), main)
    return sorted(cache)


def test_those_that_went_are_forgotten_within_ten_minutes(cluster: FakeCluster, cache: Cache) -> None:
    keys = [Key("blue", "a"), Key("red", "a"), Key("red", "b")]
    for key in keys:
        make(cluster, cache, key)
    remove(cluster, Key("red", "a"))
    assert swept(cluster, cache, 599) == keys
    assert swept(cluster, cache, 601) == [Key("blue", "a"), Key("red", "b")]


def test_one_that_was_made_anew_is_left_to_its_event(cluster: FakeCluster, cache: Cache) -> None:
    key = Key("red", "a")
    make(cluster, cache, key)
    remove(cluster, key)
    cluster.answer("POST", PLANS.format("red"), {"kind": "Plan", "metadata": {"name": "a"}, "spec": {}})
    assert swept(cluster, cache, 601) == []


def test_an_api_server_that_is_away_costs_no_plan_and_is_asked_again(cluster: FakeCluster, cache: Cache) -> None:
    key = Key("red", "a")
    make(cluster, cache, key)
    remove(cluster, key)
    cluster.fail_next()
    assert swept(cluster, cache, 601) == [key]
    cluster.fail_next()
    assert swept(cluster, cache, 1201) == []


def test_without_plans_nobody_is_asked(cluster: FakeCluster, cache: Cache) -> None:
    swept(cluster, cache, 3600)
    assert cluster.requests == 0
