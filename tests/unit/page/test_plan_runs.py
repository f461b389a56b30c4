"""The tasks on the page of a Plan: who may see them, what they say, and how they change."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from execloop import Execution, Options
from execloop._engine.run import step
from execloop.controller.plancode.redaction.redactor import Redactor
from execloop.page.runs.known import KnownRuns
from execloop.page.runs.recent import Recent
from execloop.testing import ScriptedPlan
from tests.asynchronous import in_event_loop
from tests.page_cluster import PageCluster, User, bearer, page, reader

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.test_utils import TestClient

PLAIN = Redactor()
HOSTILE = "<img src=x onerror=alert(1)> \"'& {{ 7*7 }} \ud800 \u202e"
EXECUTION = {"id": "e1", "runs": 1, "startedAt": "2026-01-01T00:00:00Z"}


def a_process() -> Recent:
    return Recent(time.monotonic, lambda: datetime(2026, 1, 1, tzinfo=UTC))


def run(recent: Recent, uid: str, *steps: Any, execution: str = "e1", before: int = 0) -> None:
    listener = recent.listener(uid, execution, PLAIN)
    outcome = step(ScriptedPlan(*steps), Execution(runs=before), Options(), notify=listener)
    recent.ended(uid, execution, PLAIN, outcome)


def a_cluster() -> tuple[PageCluster, str]:
    """A Plan, and its uid. Ann may read it, Bob may not."""
    users = {"ann-token": reader("ann", "a"), "bob-token": reader("bob", "b"), "root": User("r", {("*", "*")})}
    cluster = PageCluster(users)
    return cluster, cluster.put("a", "one", status={"state": "Running", "execution": EXECUTION})["metadata"]["uid"]


async def seen(client: TestClient[web.Request, web.Application], token: str = "ann-token", status: int = 200) -> str:
    async with client.get("/plans/a/one", headers=bearer(token)) as answer:
        assert answer.status == status
        return await answer.text()


def here(recent: Recent) -> KnownRuns:
    return KnownRuns(recent, lambda *_: None)


@in_event_loop
async def test_only_who_may_read_the_plan_sees_its_tasks() -> None:
    (cluster, uid), recent = a_cluster(), a_process()
    run(recent, uid, {"issue the key": {"store it": OSError("disk full")}})
    async with page(cluster, here(recent)) as (client, _):
        found = await seen(client)
        assert "issue the key" in found
        assert "store it" in found
        assert found.count("OSError: disk full") == 2  # beside its task, and among the last errors
        refused = await seen(client, "bob-token", 403)
        assert "issue" not in refused


@pytest.mark.parametrize("path", ["/live/plans/a/one/overview", "/plans/a/one"])
@in_event_loop
async def test_a_plan_that_is_made_again_shows_nothing_of_the_old_one(path: str) -> None:
    (cluster, uid), recent = a_cluster(), a_process()
    run(recent, uid, ["the old secret task"])
    cluster.answer("DELETE", "/apis/execloop.dev/v1alpha1/namespaces/a/plans/one")
    cluster.put("a", "one", status={"execution": EXECUTION})
    async with page(cluster, here(recent)) as (client, _), client.get(path, headers=bearer("root")) as answer:
        found = await answer.content.readuntil(b"\n\n" if "live" in path else b"</html>")
        assert b"old secret task" not in found
        assert b"are not known" in found


@in_event_loop
async def test_a_replica_that_does_not_reconcile_it_names_the_one_that_does() -> None:
    (cluster, uid), recent = a_cluster(), a_process()
    run(recent, uid, ["an old task"])
    async with page(cluster, KnownRuns(recent, lambda *_: "execloop-1_f3", 8090)) as (client, _):
        found = await seen(client)
        assert "The replica <code>execloop-1</code> does" in found
        assert "<code>kubectl port-forward pod/execloop-1 8090</code>" in found
        assert "an old task" not in found


@in_event_loop
async def test_after_a_restart_the_runs_before_are_said_to_be_unknown() -> None:
    (cluster, uid), recent = a_cluster(), a_process()
    run(recent, uid, ["continue"], before=7)
    async with page(cluster, here(recent)) as (client, _):
        assert "7 runs before those are not known here" in await seen(client)


@in_event_loop
async def test_nothing_that_a_plan_names_becomes_markup() -> None:
    (cluster, uid), recent = a_cluster(), a_process()
    run(recent, uid, {HOSTILE: {HOSTILE: OSError(HOSTILE)}})
    run(recent, uid, OSError(HOSTILE))
    async with page(cluster, here(recent)) as (client, _):
        found = await seen(client)
        assert "<img" not in found
        assert "49" not in found.replace("&#39;", "").replace("&#34;", "").partition("<main")[2]


@in_event_loop
async def test_of_10_000_tasks_a_page_of_a_bounded_size_is_drawn() -> None:
    (cluster, uid), recent = a_cluster(), a_process()
    run(recent, uid, [f"task {number} {'n' * 300}" for number in range(10_000)])
    async with page(cluster, here(recent)) as (client, _):
        found = await seen(client)
        assert "9900 more are over" in found
        assert len(found) < 120_000


@in_event_loop
async def test_a_task_is_seen_while_it_runs_and_the_plan_is_not_read_again_for_it() -> None:
    (cluster, uid), recent = a_cluster(), a_process()
    go = threading.Event()
    async with page(cluster, here(recent)) as (client, site):
        await site.store.newer(0) if not len(site.store) else None
        async with client.get("/live/plans/a/one/overview", headers=bearer("ann-token")) as answer:
            await answer.content.readuntil(b"\n\n")
            reads = cluster.requests
            thread = threading.Thread(target=run, args=(recent, uid, {"wait for the database": lambda: go.wait(30)}))
            thread.start()
            async with asyncio.timeout(30):
                while b'data-step="running"' not in await answer.content.readuntil(b"\n\n"):
                    pass
                go.set()
                while b'data-step="done"' not in await answer.content.readuntil(b"\n\n"):
                    pass
            thread.join()
            assert cluster.requests == reads


@in_event_loop
async def test_a_right_that_is_taken_away_ends_an_open_page_while_tasks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execloop.page.views.plan._SERVES", 0.2)
    (cluster, uid), recent = a_cluster(), a_process()
    async with (
        page(cluster, here(recent)) as (client, _),
        client.get("/live/plans/a/one/overview", headers=bearer("ann-token")) as answer,
    ):
        await answer.content.readuntil(b"\n\n")
        cluster.users["ann-token"].may.clear()
        ended = asyncio.create_task(answer.content.read())
        async with asyncio.timeout(30):
            while not ended.done():
                await asyncio.to_thread(run, recent, uid, ["another"])
                await asyncio.sleep(0.05)
