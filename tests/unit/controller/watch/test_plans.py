"""What Kopf tells of Plans, with a server that has gaps and refusals as no real API server would on demand."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kopf._cogs.clients.watching import WatchingError

from execloop.controller.watch import plans as watching_module
from execloop.controller.watch.cache import Key
from execloop.controller.watch.plans import until_ended, watching
from execloop.kube import Cluster, Connection
from execloop.kube.config.credentials import Credential, StaticCredentials
from tests.asynchronous import in_event_loop

GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
BROKEN = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "reason": "InternalError"}}


def plan(name: str, namespace: str = "red") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "resourceVersion": "7"}}


def event(kind: str, name: str, namespace: str = "red") -> dict[str, Any]:
    return {"type": kind, "object": plan(name, namespace)}


class Server:
    """Has lists, one after the other and the last one again and again, and as many watches that follow them."""

    def __init__(self, lists: Sequence[Sequence[str]], watches: Sequence[Sequence[dict[str, Any]]] = ()) -> None:
        self.lists, self.watches = list(lists), list(watches)
        self.breaks_off = False
        """Whether the first list has a second page, whose connection breaks."""

    async def plans(self, request: web.Request) -> web.StreamResponse:
        namespace = request.match_info.get("namespace", "red")
        if "watch" in request.query:
            return await self._watch(request)
        if "continue" in request.query:
            assert request.transport is not None
            request.transport.abort()
        metadata = {"resourceVersion": "7", **({"continue": "page 2"} if self.breaks_off else {})}
        self.breaks_off = False
        names = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        items = [plan(name, namespace) for name in names]
        return web.json_response({"kind": "PlanList", "metadata": metadata, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for each in self.watches.pop(0) if self.watches else ():
            await response.write(json.dumps(each).encode() + b"\n")
        if not self.watches:
            await asyncio.Event().wait()
        return response

    async def discovery(self, _: web.Request) -> web.Response:
        return web.json_response({"versions": [], "groups": [], "resources": []})


class Listener:
    """Keeps what it is told, and has one kind of Plan that it cannot stand."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.more = asyncio.Event()

    def seen(self, kind: str | None, body: dict[str, Any]) -> None:
        if body["metadata"]["name"] == "bad":
            raise RuntimeError("no such thing")
        self._tell((kind, body["metadata"]["name"]))

    def listed(self, namespace: str | None, present: set[Key]) -> None:
        self._tell((namespace, *sorted(present)))

    def _tell(self, what: object) -> None:
        self.told.append(what)
        self.more.set()

    async def until_told(self, count: int) -> list[object]:
        async with asyncio.timeout(10):
            while len(self.told) < count:
                self.more.clear()
                await self.more.wait()
        return self.told


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Connection]:
    app = web.Application()
    prefix = "/apis/execloop.dev/v1alpha1"
    for path in (f"{prefix}/plans", f"{prefix}/namespaces/{{namespace}}/plans"):
        app.router.add_get(path, server.plans)
    app.router.add_get("/{any:.*}", server.discovery)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    token = StaticCredentials(Credential("Bearer s3cret"))
    connection = Connection(Cluster(f"http://127.0.0.1:{runner.addresses[0][1]}", token))
    try:
        yield connection
    finally:
        await connection.close()
        await runner.cleanup()


@asynccontextmanager
async def listening(server: Server, *namespaces: str) -> AsyncIterator[Listener]:
    listener, stop = Listener(), asyncio.Event()
    async with serving(server) as connection:
        ending = asyncio.create_task(until_ended(await watching(connection, namespaces, listener, stop)))
        try:
            yield listener
        finally:
            stop.set()
            await ending


@in_event_loop
async def test_what_is_there_comes_first_and_then_what_happens() -> None:
    server = Server([["a", "b"]], [[event("ADDED", "c"), event("MODIFIED", "a"), event("DELETED", "b")]])
    async with listening(server) as listener:
        told = await listener.until_told(6)
    assert told == [
        (None, "a"),
        (None, "b"),
        (None, Key("red", "a"), Key("red", "b")),
        ("ADDED", "c"),
        ("MODIFIED", "a"),
        ("DELETED", "b"),
    ]


@in_event_loop
async def test_after_a_gap_all_are_listed_again() -> None:
    server = Server([["a", "b"], ["b"]], [[GONE], [event("ADDED", "c")]])
    async with listening(server) as listener:
        told = await listener.until_told(6)
    assert told[3:] == [(None, "b"), (None, Key("red", "b")), ("ADDED", "c")]


@in_event_loop
async def test_of_a_list_that_broke_off_nothing_counts_as_found(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = watching_module._settings()
    settings.networking.error_backoffs = ()
    monkeypatch.setattr(watching_module, "_settings", lambda: settings)
    server = Server([["a", "b"], ["b"]])
    server.breaks_off = True
    async with listening(server) as listener:
        told = await listener.until_told(4)
    assert told == [(None, "a"), (None, "b"), (None, "b"), (None, Key("red", "b"))]


@in_event_loop
async def test_an_empty_list_is_told_too() -> None:
    async with listening(Server([[]])) as listener:
        assert await listener.until_told(1) == [(None,)]


@in_event_loop
async def test_each_namespace_is_listed_by_itself() -> None:
    async with listening(Server([["a"]]), "red", "blue") as listener:
        told = await listener.until_told(4)
    assert [what for what in told if what != (None, "a")] == [
        ("red", Key("red", "a")),
        ("blue", Key("blue", "a")),
    ]


@in_event_loop
async def test_bookmarks_are_kopfs_concern() -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}
    async with listening(Server([[]], [[bookmark, event("ADDED", "a")]])) as listener:
        assert await listener.until_told(2) == [(None,), ("ADDED", "a")]


@in_event_loop
async def test_a_plan_that_brings_out_a_fault_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(Server([["bad", "a"]], [[event("ADDED", "bad"), event("ADDED", "b")]])) as listener:
        told = await listener.until_told(3)
    assert told == [(None, "a"), (None, Key("red", "a"), Key("red", "bad")), ("ADDED", "b")]
    faults = [record for record in caplog.records if record.message == "a fault of the operator"]
    assert [getattr(record, "plan", "") for record in faults] == ["red/bad", "red/bad"]


@in_event_loop
async def test_what_kopf_cannot_get_over_comes_out_as_it_is_and_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Server([["a"]], [[BROKEN]])) as connection:
        tasks = await watching(connection, (), Listener(), asyncio.Event())
        async with asyncio.timeout(10):
            with pytest.raises(WatchingError, match="InternalError"):
                await until_ended(tasks)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@in_event_loop
async def test_tasks_that_are_not_kopfs_outlive_it() -> None:
    ours = asyncio.create_task(asyncio.sleep(30))
    async with listening(Server([[]])) as listener:
        later = asyncio.create_task(asyncio.sleep(30))
        await listener.until_told(1)
    assert not ours.done()
    assert not later.done()
    ours.cancel()
    later.cancel()
