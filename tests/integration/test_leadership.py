"""Two operators, of which one works."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.integration.operating import Plans, manifest
from tests.integration.replicas import Replica, replica

CRDS = Path(__file__).parents[2] / "crds"
HOUR = "--lease-duration=1h"
"""Nothing that happens in a test happens because it expired."""


@pytest.fixture
def plans(crd: None, cluster: Cluster, namespace: str) -> Plans:
    return Plans(cluster, namespace)


Start = Callable[..., Replica]


@pytest.fixture
def start(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a replica that does its work in the world of `tmp_path`."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(replica(cluster, namespace, tmp_path, *options))


@pytest.fixture
def pair(start: Start, plans: Plans) -> Callable[..., tuple[Replica, Replica]]:
    """The one that leads, and one that stands by."""

    def both(*options: str) -> tuple[Replica, Replica]:
        leader = start(*options)
        plans.until(lambda: leader.endpoints.ready() == "ok", "the first leads")
        standby = start(*options)
        plans.until(lambda: standby.endpoints.ready() == "ok", "the second stands by")
        return leader, standby

    return both


Pair = Callable[..., tuple[Replica, Replica]]


def did(world: Path, namespace: str, name: str) -> list[str]:
    file = world / f"{namespace}-{name}"
    return file.read_text().splitlines() if file.exists() else []


def test_one_works_and_both_answer(pair: Pair, plans: Plans, tmp_path: Path, namespace: str) -> None:
    leader, standby = pair(HOUR)
    plans.apply(manifest("a", "marks"))
    plans.wait("a")
    assert did(tmp_path, namespace, "a") == ["try 0", "0"]
    assert [replica.endpoints.metric("execloop_leader") for replica in (leader, standby)] == [1, 0]
    assert [replica.endpoints.healthy() for replica in (leader, standby)] == ["ok", "ok"]
    assert not standby.leads()


def test_on_sigterm_the_state_is_saved_and_the_next_goes_on_with_it(pair: Pair, plans: Plans) -> None:
    leader, standby = pair(HOUR)
    plans.apply(manifest("a", "marks", parameters={"count": 20, "seconds": 0.2}))
    plans.until(lambda: "execution" in plans.status("a"), "progress is written")
    before = plans.status("a")["execution"]
    assert leader.operator.terminate() == 0
    plans.wait("a", seconds=60)
    assert standby.leads()
    assert plans.status("a")["execution"]["id"] == before["id"]
    assert plans.status("a")["execution"]["runs"] > 1


def test_an_idle_leader_hands_over_at_once(pair: Pair, plans: Plans) -> None:
    leader, standby = pair(HOUR)
    leader.operator.process.send_signal(signal.SIGTERM)
    plans.until(standby.leads, "the standby leads", seconds=2)
    assert leader.operator.process.wait(timeout=20) == 0


def test_no_task_of_two_replicas_overlaps_another(pair: Pair, plans: Plans, tmp_path: Path, namespace: str) -> None:
    """The Lease is released when the last task has ended, so the order of the marks is that of one process."""
    leader, _ = pair(HOUR)
    plans.apply(manifest("a", "marks", parameters={"count": 8, "seconds": 0.5}))
    plans.until(lambda: len(did(tmp_path, namespace, "a")) > 2, "the run is under way")
    leader.operator.terminate()
    plans.wait("a", seconds=60)
    marks = did(tmp_path, namespace, "a")
    assert marks == [line for number in range(8) for line in (f"try {number}", str(number))]


def test_after_a_kill_the_standby_takes_over_when_the_lease_is_over(pair: Pair, plans: Plans) -> None:
    leader, standby = pair("--lease-duration=5s")
    leader.operator.kill()
    plans.apply(manifest("a", "marks"))
    plans.until(standby.leads, "the standby leads")
    plans.wait("a")
    assert plans.condition("a") == ("True", "Converged")


def test_a_leader_that_lost_its_lease_starts_no_task_writes_nothing_and_exits(
    pair: Pair, plans: Plans, tmp_path: Path, namespace: str
) -> None:
    leader, standby = pair("--lease-duration=5s")
    plans.apply(manifest("a", "marks", parameters={"count": 3, "seconds": 2}))
    plans.until(lambda: did(tmp_path, namespace, "a") == ["try 0"], "its first task has begun")
    leader.operator.process.send_signal(signal.SIGSTOP)  # as a machine does that is out of memory
    plans.until(standby.leads, "the standby leads")
    plans.wait("a", seconds=60)
    version = plans.get("a")["metadata"]["resourceVersion"]
    marks = did(tmp_path, namespace, "a")
    leader.operator.process.send_signal(signal.SIGCONT)
    assert leader.operator.process.wait(timeout=20) == 1
    assert did(tmp_path, namespace, "a")[len(marks) :] in ([], ["0"])  # the end of the task that it was in
    assert plans.get("a")["metadata"]["resourceVersion"] == version
    last = leader.operator.said().splitlines()[-1]
    assert f"the Lease {namespace}/execloop is lost: " in last


def test_a_lease_that_another_holder_took_ends_the_leader(pair: Pair, plans: Plans) -> None:
    leader, _ = pair("--lease-duration=15s")
    patch = json.dumps({"spec": {"holderIdentity": "somebody"}})
    plans.kubectl("patch", "lease", "execloop", "--type=merge", f"--patch={patch}")
    assert leader.operator.process.wait(timeout=20) == 1
    said = leader.operator.said()
    assert "is lost: somebody holds it; exiting" in said
    assert "Traceback" not in said


def test_an_operator_whose_crd_goes_keeps_its_lease_says_so_and_continues_once_it_is_back(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    own_cluster.kubectl("apply", "--server-side", f"--filename={CRDS}")
    plans = Plans(own_cluster)
    with replica(own_cluster, "default", tmp_path, HOUR) as leader:
        plans.until(lambda: leader.endpoints.ready() == "ok", "it leads")
        own_cluster.kubectl("delete", "crd", "plans.execloop.dev")
        plans.until(lambda: "404 NotFound; trying again" in leader.operator.said(), "it says so")
        own_cluster.kubectl("apply", "--server-side", f"--filename={CRDS}")
        plans.until(lambda: own_cluster.kubectl("get", "plans") == "", "the CRD is served")
        plans.apply(manifest("a", "marks"))
        plans.wait("a")
        assert leader.operator.process.poll() is None
        assert own_cluster.kubectl("get", "lease", "execloop", "--output=jsonpath={.spec.holderIdentity}") != ""
        assert "Traceback" not in leader.operator.said()


def test_without_an_api_server_the_leader_exits_and_says_why(own_cluster: Cluster, tmp_path: Path) -> None:
    own_cluster.kubectl("apply", "--server-side", f"--filename={CRDS}")
    plans = Plans(own_cluster)
    with replica(own_cluster, "default", tmp_path, "--lease-duration=3s") as leader:
        plans.until(leader.leads, "it leads")
        own_cluster.stop_api_server()
        assert leader.operator.process.wait(timeout=30) == 1
    assert "the Lease default/execloop is lost: not renewed for 2 s: " in leader.operator.said()
    assert "Traceback" not in leader.operator.said()
