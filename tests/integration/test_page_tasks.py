"""The tree of tasks on the page of a Plan: of a real operator, on a real API server."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.asynchronous import in_event_loop
from tests.cluster import Cluster
from tests.integration.endpoints import Endpoints
from tests.integration.operating import Operator, Plans, manifest, operating
from tests.integration.replicas import replica
from tests.integration.test_page import ask, person

SECRET = "hunter2-is-not-enough"


def shown(page: Endpoints, token: str, plan: str, until: Callable[[str], bool]) -> str:
    """The page of a Plan, once it shows what it should."""
    found, end = (0, ""), time.monotonic() + 60
    while time.monotonic() < end:
        try:
            found = asyncio.run(ask(f"http://127.0.0.1:{page.port}/plans/{plan}", token))
        except aiohttp.ClientError:  # it starts
            found = 0, "no answer"
        if until(found[1]):
            return found[1]
        time.sleep(0.2)
    raise AssertionError(f"the page does not show it: {found}")


def follow(page: Endpoints, token: str, plan: str, until: bytes) -> bytes:
    """What the stream of a Plan's page sends until it has sent this."""
    found = b""

    @in_event_loop
    async def read() -> None:
        nonlocal found
        url, headers = f"http://127.0.0.1:{page.port}/live/plans/{plan}/overview", {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            async with asyncio.timeout(60):
                while until not in found:
                    found += await answer.content.readuntil(b"\n\n")

    read()
    return found


def restart(operator: Operator) -> None:
    operator.terminate()
    operator.start()


@pytest.mark.usefixtures("crd")
def test_the_tasks_of_a_plan_are_shown_to_who_may_read_it_until_the_operator_restarts(
    cluster: Cluster, namespace: str, other: str, roles: dict[str, str], tmp_path: Path
) -> None:
    plans, plan = Plans(cluster, namespace), f"{namespace}/keys"
    with (
        Endpoints.reserved() as page,
        operating(cluster, [namespace], tmp_path, f"--page=127.0.0.1:{page.port}") as operator,
        person(cluster, namespace, roles["view"]) as ann,
        person(cluster, other, roles["view"]) as bob,
    ):
        spec = {"parameters": {"count": 2, "fails": 1, "fix": "key"}, "sleepBetweenRuns": "0s"}
        plans.apply(manifest("keys", "marks", **spec, errorBackoff={"initial": "100ms"}))
        plans.wait("keys")
        found = shown(page, ann, plan, lambda text: "Run 2" in text)
        assert found.count("ValueError: attempt at key0 fails") >= 2  # beside its task, and among the errors
        assert found.count('data-step="done"') == 2
        assert asyncio.run(ask(f"http://127.0.0.1:{page.port}/plans/{plan}", bob))[0] == 403
        restart(operator)
        assert 'class="tree"' not in shown(page, ann, plan, lambda text: "are not known" in text)


@pytest.mark.usefixtures("crd")
def test_a_task_is_seen_while_it_runs_and_when_it_ends(
    cluster: Cluster, namespace: str, roles: dict[str, str], tmp_path: Path
) -> None:
    plans, plan = Plans(cluster, namespace), f"{namespace}/slow"
    with (
        Endpoints.reserved() as page,
        operating(cluster, [namespace], tmp_path, f"--page=127.0.0.1:{page.port}"),
        person(cluster, namespace, roles["view"]) as ann,
    ):
        plans.apply(manifest("slow", "marks", parameters={"count": 2, "seconds": 2}))
        shown(page, ann, plan, lambda text: "slow" in text)
        found = follow(page, ann, plan, b"Has converged")
        assert b'data-step="running"' in found
        assert found.count(b'data-step="done"') >= 2


@pytest.mark.usefixtures("crd")
def test_of_a_secret_nothing_is_shown(cluster: Cluster, namespace: str, roles: dict[str, str], tmp_path: Path) -> None:
    plans, plan = Plans(cluster, namespace), f"{namespace}/fails"
    source = [{"kind": "Secret", "name": "s"}]
    with (
        Endpoints.reserved() as page,
        operating(cluster, [namespace], tmp_path, f"--page=127.0.0.1:{page.port}"),
        person(cluster, namespace, roles["view"]) as ann,
    ):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"text": SECRET}}
        spec = {"parametersFrom": source, "parameters": {"fails": True}, "errorsToTolerate": 0}
        plans.apply(secret, manifest("fails", "texts", **spec))
        plans.wait("fails", "Stalled")
        found = shown(page, ann, plan, lambda text: 'data-step="failed"' in text)
        assert "write …" in found
        assert "cannot use &#39;…&#39;" in found
        assert SECRET not in found


@pytest.mark.usefixtures("crd")
def test_a_standby_says_which_replica_shows_the_tasks(
    cluster: Cluster, namespace: str, roles: dict[str, str], tmp_path: Path
) -> None:
    plans, plan = Plans(cluster, namespace), f"{namespace}/keys"
    with (
        Endpoints.reserved() as page,
        Endpoints.reserved() as standby,
        replica(cluster, namespace, tmp_path, f"--page=127.0.0.1:{page.port}") as leader,
        person(cluster, namespace, roles["view"]) as ann,
    ):
        plans.until(leader.leads, "a replica leads")
        with replica(cluster, namespace, tmp_path, f"--page=127.0.0.1:{standby.port}"):
            plans.apply(manifest("keys", "marks", parameters={"count": 1, "fix": "key"}))
            plans.wait("keys")
            shown(page, ann, plan, lambda text: 'data-step="done"' in text)
            found = shown(standby, ann, plan, lambda text: "The replica <code>" in text)
            assert 'class="tree"' not in found
            leader.operator.terminate()
            plans.apply(manifest("keys", "marks", parameters={"count": 2, "fix": "key"}))
            assert "key1" in shown(standby, ann, plan, lambda text: 'data-step="done"' in text)
