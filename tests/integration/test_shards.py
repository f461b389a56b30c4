"""Replicas that share the Plans: `--shards`, on the real API server."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.integration.operating import Plans, manifest
from tests.integration.replicas import Replica, replica

PLANS = [f"plan-{number}" for number in range(12)]
RANGES = 4


Start = Callable[..., Replica]


@pytest.fixture
def plans(crd: None, cluster: Cluster, namespace: str) -> Plans:
    return Plans(cluster, namespace)


@pytest.fixture
def start(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a replica that does its work in the world of `tmp_path`."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(replica(cluster, namespace, tmp_path, *options))


def holders(plans: Plans) -> dict[str, str]:
    leases = json.loads(plans.kubectl("get", "leases", "--output=json"))["items"]
    return {one["metadata"]["name"]: one["spec"].get("holderIdentity", "") for one in leases}


def tries(world: Path, namespace: str, name: str) -> list[str]:
    file = world / f"{namespace}-{name}"
    return file.read_text().splitlines() if file.exists() else []


def test_two_replicas_share_the_plans_and_each_task_runs_once(
    start: Start, plans: Plans, tmp_path: Path, namespace: str
) -> None:
    both = [start(f"--shards={RANGES}", "--lease-duration=15s") for _ in range(2)]
    plans.until(lambda: sorted(len(one.owned(RANGES)) for one in both) == [2, 2], "each has two ranges")
    assert both[0].owned(RANGES) & both[1].owned(RANGES) == set()
    plans.apply(*(manifest(name, "marks") for name in PLANS))
    for name in PLANS:
        plans.wait(name)
    assert [tries(tmp_path, namespace, name) for name in PLANS] == [["try 0", "0"]] * len(PLANS)
    names = set(holders(plans))
    assert {f"execloop-{RANGES}-{n}" for n in range(RANGES)} <= names
    assert sum(name.startswith(f"execloop-{RANGES}-member-") for name in names) == 2


def test_a_plan_waits_for_one_in_another_range(start: Start, plans: Plans) -> None:
    both = [start(f"--shards={RANGES}") for _ in range(2)]
    plans.until(lambda: sorted(len(one.owned(RANGES)) for one in both) == [2, 2], "each has two ranges")
    plans.apply(*(manifest(name, "marks", dependsOn=[{"name": "first"}]) for name in PLANS[:6]))
    plans.until(
        lambda: all(plans.condition(name) == ("False", "DependencyNotReady") for name in PLANS[:6]), "they wait"
    )
    plans.apply(manifest("first", "marks"))
    for name in ["first", *PLANS[:6]]:
        plans.wait(name)


def test_a_replica_that_is_killed_leaves_its_ranges_to_the_other(start: Start, plans: Plans) -> None:
    both = [start(f"--shards={RANGES}", "--lease-duration=5s") for _ in range(2)]
    plans.until(lambda: sorted(len(one.owned(RANGES)) for one in both) == [2, 2], "each has two ranges")
    plans.apply(*(manifest(name, "marks", parameters={"count": 20, "seconds": 0.2}) for name in PLANS))
    plans.until(lambda: all("execution" in plans.status(name) for name in PLANS), "all are under way")
    both[0].operator.kill()
    for name in PLANS:
        plans.wait(name, seconds=90)
    assert both[1].owned(RANGES) == set(range(RANGES))


def test_a_replica_that_joins_gets_plans_in_flight_and_no_task_overlaps_another(
    start: Start, plans: Plans, tmp_path: Path, namespace: str
) -> None:
    first = start(f"--shards={RANGES}")
    plans.until(lambda: len(first.owned(RANGES)) == RANGES, "one has all")
    plans.apply(*(manifest(name, "marks", parameters={"count": 10, "seconds": 0.3}) for name in PLANS))
    plans.until(lambda: all(tries(tmp_path, namespace, name) for name in PLANS), "all are under way")
    second = start(f"--shards={RANGES}")
    plans.until(lambda: len(second.owned(RANGES)) == RANGES // 2, "the other has its share", seconds=90)
    for name in PLANS:
        plans.wait(name, seconds=90)
    expected = [line for number in range(10) for line in (f"try {number}", str(number))]
    assert [tries(tmp_path, namespace, name) for name in PLANS] == [expected] * len(PLANS)
    assert "gives up range" in first.operator.said()


def test_the_number_of_ranges_changes_in_a_rolling_step(start: Start, plans: Plans) -> None:
    old = start("--lease-duration=15s")
    plans.until(lambda: "leading: " in old.operator.said(), "the old one leads")
    plans.apply(manifest("a", "marks"))
    plans.wait("a")
    new = start(f"--shards={RANGES}")
    plans.until(lambda: "the Plans are no longer divided so" in new.operator.said(), "the new one waits")
    assert new.owned(RANGES) == set()
    assert old.operator.terminate() == 0
    plans.until(lambda: len(new.owned(RANGES)) == RANGES, "the new one has all ranges")
    plans.apply(manifest("b", "marks"))
    plans.wait("b")


def test_a_replica_that_lost_one_lease_ends_with_all_its_ranges(start: Start, plans: Plans) -> None:
    both = [start(f"--shards={RANGES}", "--lease-duration=15s") for _ in range(2)]
    plans.until(lambda: sorted(len(one.owned(RANGES)) for one in both) == [2, 2], "each has two ranges")
    taken = min(both[0].owned(RANGES))
    thief = json.dumps({"spec": {"holderIdentity": "somebody"}})
    plans.kubectl("patch", "lease", f"execloop-{RANGES}-{taken}", "--type=merge", f"--patch={thief}")
    assert both[0].operator.process.wait(timeout=30) != 0
    assert f"execloop-{RANGES}-{taken}: somebody holds it; exiting" in both[0].operator.said()
    plans.until(lambda: both[1].owned(RANGES) == set(range(RANGES)), "the other has all ranges", seconds=90)


def test_operators_that_are_split_by_labels_converge_their_own_plans(start: Start, plans: Plans) -> None:
    def labelled(name: str, team: str) -> dict[str, Any]:
        body = manifest(name, "marks")
        return {**body, "metadata": {**body["metadata"], "labels": {"team": team}}}

    start("--selector=team=red", "--lease-name=red")
    plans.apply(labelled("red", "red"), labelled("blue", "blue"))
    plans.wait("red")
    assert "state" not in plans.status("blue")
    start("--selector=team!=red", "--lease-name=others")
    plans.wait("blue")
