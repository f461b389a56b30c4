"""Two candidates for one Lease on a real API server.

Where a hand-over must not be an expiry, the times are so long that an expiry would come after the test's timeout.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from execloop.kube import ApiError, Connection, Lease, LeaseLost, LeaseTimes, edit_annotation
from tests.asynchronous import in_event_loop
from tests.cluster import Cluster
from tests.integration.access import account
from tests.integration.conftest import Kubectl

QUICK = LeaseTimes(duration=4, deadline=2.8, retry=0.3)
LONG = LeaseTimes.lasting(300)
PATIENCE = 20


@pytest.fixture
def connection(cluster: Cluster) -> Connection:
    return Connection.load(cluster.kubeconfig)


async def acquired(lease: Lease) -> Lease:
    async with asyncio.timeout(PATIENCE):
        await lease.acquire()
    return lease


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - a Lease has no event that tells it
            await asyncio.sleep(0.02)


@asynccontextmanager
async def waiting(lease: Lease) -> AsyncIterator[asyncio.Task[None]]:
    """A standby that has seen the Lease."""
    task = asyncio.create_task(lease.acquire())
    try:
        await until(lambda: bool(lease.holder))
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def kept(lease: Lease) -> AsyncIterator[asyncio.Task[str]]:
    task = asyncio.create_task(lease.keep())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def spec(kubectl: Kubectl) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", "lease", "x", "--output=json"))["spec"]
    return found


@in_event_loop
async def test_the_first_makes_the_lease_and_says_who_it_is(
    connection: Connection, namespace: str, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTNAME", "pod-1")
    lease = await acquired(Lease(connection, "x", namespace))
    written = spec(kubectl)
    assert lease.held
    assert written["holderIdentity"].startswith("pod-1_")
    assert (written["leaseDurationSeconds"], written["leaseTransitions"]) == (15, 0)
    assert written["acquireTime"] == written["renewTime"]


@in_event_loop
async def test_of_many_at_once_one_holds_it(connection: Connection, namespace: str) -> None:
    leases = [Lease(connection, "x", namespace, LONG) for _ in range(8)]
    tasks = [asyncio.create_task(lease.acquire()) for lease in leases]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
    await asyncio.sleep(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [lease.held for lease in leases].count(True) == 1


@in_event_loop
async def test_what_is_released_goes_to_a_standby_at_once(
    connection: Connection, namespace: str, kubectl: Kubectl
) -> None:
    first = await acquired(Lease(connection, "x", namespace, LONG))
    async with waiting(Lease(connection, "x", namespace, LONG)) as standby:
        await first.release()
        assert not first.held
        await asyncio.wait_for(standby, PATIENCE)
    assert spec(kubectl)["leaseTransitions"] == 1


@in_event_loop
async def test_what_is_not_renewed_goes_to_a_standby(connection: Connection, namespace: str) -> None:
    first = await acquired(Lease(connection, "x", namespace, QUICK))
    async with waiting(second := Lease(connection, "x", namespace, QUICK)) as standby:
        await asyncio.wait_for(standby, PATIENCE)
        assert (first.held, second.held) == (False, True)
        with pytest.raises(LeaseLost, match=f"{namespace}/x is not held"):
            first.require()


@in_event_loop
async def test_what_is_renewed_stays(connection: Connection, namespace: str, kubectl: Kubectl) -> None:
    first = await acquired(Lease(connection, "x", namespace, QUICK))
    before = spec(kubectl)
    async with kept(first), waiting(second := Lease(connection, "x", namespace, QUICK)):
        await asyncio.sleep(2 * QUICK.duration)
        assert (first.held, second.held) == (True, False)
    after = spec(kubectl)
    assert before["acquireTime"] == after["acquireTime"]
    assert before["renewTime"] < after["renewTime"]
    assert after["leaseTransitions"] == 0


@in_event_loop
async def test_a_lease_that_another_took_is_lost_and_says_who_has_it(
    connection: Connection, namespace: str, kubectl: Kubectl
) -> None:
    first = await acquired(Lease(connection, "x", namespace, QUICK))
    kubectl("patch", "lease", "x", "--type=merge", '--patch={"spec": {"holderIdentity": "other"}}')
    async with kept(first) as keeping:
        assert await asyncio.wait_for(keeping, PATIENCE) == "other holds it"
    assert not first.held


@pytest.mark.parametrize(
    "spoil",
    [("delete", "lease", "x"), ("label", "lease", "x", "a=b"), ("patch", "lease", "x", '--patch={"spec": null}')],
    ids=lambda spoil: spoil[0],
)
@in_event_loop
async def test_a_lease_that_was_changed_by_hand_is_written_again(
    connection: Connection, namespace: str, kubectl: Kubectl, spoil: tuple[str, ...]
) -> None:
    first = await acquired(Lease(connection, "x", namespace, QUICK))
    kubectl(*spoil)
    async with kept(first):
        await asyncio.sleep(2 * QUICK.duration)
        assert first.held
    assert spec(kubectl)["holderIdentity"] == first.holder


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a handshake with a dying server
@in_event_loop
async def test_without_an_api_server_it_is_lost_at_the_deadline(own_cluster: Cluster) -> None:
    first = await acquired(Lease(Connection.load(own_cluster.kubeconfig), "x", "default", QUICK))
    own_cluster.stop_api_server()
    async with kept(first) as keeping:
        reason = await asyncio.wait_for(keeping, PATIENCE)
    assert not first.held
    assert reason.startswith(f"not renewed for {QUICK.deadline} s: ")


@in_event_loop
async def test_an_absence_of_the_api_server_is_waited_for(own_cluster: Cluster) -> None:
    own_cluster.stop_api_server()
    lease = Lease(Connection.load(own_cluster.kubeconfig), "x", "default", QUICK)
    task = asyncio.create_task(lease.acquire())
    await until(lambda: bool(lease.problem))
    own_cluster.start_api_server()
    await asyncio.wait_for(task, PATIENCE)
    assert (lease.held, lease.problem) == (True, "")


@in_event_loop
async def test_who_may_not_watch_looks_now_and_then(
    cluster: Cluster, connection: Connection, namespace: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubectl("create", "role", "lease", "--verb=get,create,update", "--resource=leases.coordination.k8s.io")
    poor = Connection.load(account(cluster, kubectl, namespace, "poor", tmp_path, role="lease"))
    first = await acquired(Lease(connection, "x", namespace, LONG))
    second = Lease(poor, "x", namespace, LeaseTimes(duration=300, deadline=200, retry=0.3))
    async with waiting(second) as standby:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(standby), 1)
        assert second.problem == ""
        await first.release()
        await asyncio.wait_for(standby, PATIENCE)


@in_event_loop
async def test_missing_rights_are_told(cluster: Cluster, namespace: str, kubectl: Kubectl, tmp_path: Path) -> None:
    poor = Connection.load(account(cluster, kubectl, namespace, "poor", tmp_path))
    lease = Lease(poor, "x", namespace, QUICK)
    with suppress(TimeoutError):
        await asyncio.wait_for(lease.acquire(), 1)
    assert "403 Forbidden" in lease.problem


@in_event_loop
async def test_a_missing_namespace_is_told(connection: Connection) -> None:
    lease = Lease(connection, "x", "no-such-namespace", QUICK)
    with suppress(TimeoutError):
        await asyncio.wait_for(lease.acquire(), 1)
    assert 'namespaces "no-such-namespace" not found' in lease.problem


@in_event_loop
async def test_a_release_that_nobody_hears_harms_nothing(own_cluster: Cluster) -> None:
    first = await acquired(Lease(Connection.load(own_cluster.kubeconfig), "x", "default", QUICK))
    own_cluster.stop_api_server()
    with suppress(ApiError):
        await first.release()
    assert not first.held


# -- annotations


@in_event_loop
async def test_a_standby_edits_an_annotation_and_the_holder_keeps_the_lease_and_sees_it(
    connection: Connection, namespace: str
) -> None:
    lease = await acquired(Lease(connection, "x", namespace, QUICK))
    async with kept(lease) as keeping:
        assert await edit_annotation(connection, (namespace, "x"), "example.com/a", lambda text: text + "1") == "1"
        await until(lambda: lease.annotation("example.com/a") == "1")
        assert not keeping.done()
        assert lease.held
    assert await edit_annotation(connection, (namespace, "x"), "example.com/a", lambda _text: "") == ""


@in_event_loop
async def test_edits_of_many_at_once_all_count(connection: Connection, namespace: str) -> None:
    lease = await acquired(Lease(connection, "x", namespace, QUICK))
    async with kept(lease):
        await asyncio.gather(
            *(edit_annotation(connection, (namespace, "x"), "example.com/a", lambda text: text + "1") for _ in range(5))
        )
        await until(lambda: lease.annotation("example.com/a") == "11111")


@in_event_loop
async def test_an_annotation_on_a_lease_that_does_not_exist_leaves_it_to_whoever_comes(
    connection: Connection, namespace: str
) -> None:
    await edit_annotation(connection, (namespace, "x"), "example.com/a", lambda _text: "1")
    lease = await acquired(Lease(connection, "x", namespace, LONG))
    assert lease.annotation("example.com/a") == "1"


@in_event_loop
async def test_an_edit_that_changes_nothing_writes_nothing(
    connection: Connection, namespace: str, kubectl: Kubectl
) -> None:
    await acquired(Lease(connection, "x", namespace, LONG))
    before = kubectl("get", "lease", "x", "--output=json")
    assert await edit_annotation(connection, (namespace, "x"), "example.com/a", lambda text: text) == ""
    assert kubectl("get", "lease", "x", "--output=json") == before
