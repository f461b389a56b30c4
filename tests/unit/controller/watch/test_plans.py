"""What Kopf tells of Plans, with a server that has gaps and refusals as no real API server would on demand."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest
from aiohttp import web

from execloop.controller.watch.cache import Key
from execloop.controller.watch.plans import PlanWatch
from execloop.kube import Cluster, Connection, WatchTimes
from execloop.kube.config.credentials import Credential, StaticCredentials
from tests.asynchronous import in_event_loop

GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
QUICK = WatchTimes(
    silence=0.3, probe=0.15, brief=0.05, first_pause=0.01, longest_pause=0.02, longest_refusal=0.02, patience=0.0
)


def plan(name: str, namespace: str = "red") -> dict[str, Any]:
    version = "8" if name == "b" else "7"
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "resourceVersion": version}
    }


def event(kind: str, name: str, namespace: str = "red") -> dict[str, Any]:
    return {"type": kind, "object": plan(name, namespace)}


class Server:
    """Has lists, one after the other and the last one again and again, and as many watches that follow them."""

    def __init__(self, lists: Sequence[Sequence[str]], watches: Sequence[Sequence[dict[str, Any]]] = ()) -> None:
        self.lists, self.watches = list(lists), list(watches)
        self.list_faults: list[Fault] = []
        """What the next lists are answered with instead."""
        self.watch_faults: list[Fault] = []
        self.scan_faults: list[Fault] = []
        """The same for whatever else Kopf asks."""
        self.unheard: list[str] = []
        """Plans that are made once a watch has begun, and of which no watch tells."""
        self.limits: list[str | None] = []
        """Of the pages that were asked for."""
        self.selections: list[tuple[str | None, str | None]] = []
        """The labels and the ranges of each list and watch."""

    async def plans(self, request: web.Request) -> web.StreamResponse:
        selection = (request.query.get("labelSelector"), request.query.get("shardSelector"))
        if selection[1] == "unknown":
            return await refuses(500, "invalid shard selector")(request)
        self.selections.append(selection)
        if "watch" in request.query:
            return await (self.watch_faults.pop(0)(request) if self.watch_faults else self._watch(request))
        self.limits.append(request.query.get("limit"))
        if self.list_faults:
            return await self.list_faults.pop(0)(request)
        names = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        return web.json_response(listed(names, request.match_info.get("namespace", "red")))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for each in self.watches.pop(0) if self.watches else ():
            await response.write(json.dumps(each).encode() + b"\n")
        if self.unheard:
            self.lists.append([*self.lists.pop(), *self.unheard])
            self.unheard.clear()
        if request.query["timeoutSeconds"] == "0":
            await asyncio.sleep(0.1)
        elif not self.watches:
            await asyncio.Event().wait()
        return response

    async def discovery(self, request: web.Request) -> web.StreamResponse:
        if self.scan_faults:
            return await self.scan_faults.pop(0)(request)
        return web.json_response({"versions": [], "groups": [], "resources": []})


Fault: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def listed(names: Sequence[str], namespace: str = "red", **metadata: str) -> dict[str, Any]:
    items = [plan(name, namespace) for name in names]
    return {"kind": "PlanList", "metadata": {"resourceVersion": "7", **metadata}, "items": items}


def answers(body: object = None, status: int = 200, content_type: str = "application/json") -> Fault:
    async def fault(_: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status, content_type=content_type)

    return fault


def refuses(status: int, reason: str) -> Fault:
    return answers({"kind": "Status", "code": status, "reason": reason, "message": reason}, status)


HTML = answers("<html>please log in</html>\n", content_type="text/html")
EMPTY = answers("")


async def cut(request: web.Request) -> web.StreamResponse:
    """Half an answer, and the end of the connection."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"kind": "PlanList", "items": [')
    assert request.transport is not None
    request.transport.abort()
    return response


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """A first page, whose second never comes."""
    if "continue" in request.query:
        return await cut(request)
    return web.json_response(listed(["a", "b"], **{"continue": "page 2"}))


class Listener:
    """Keeps what it is told, and has one kind of Plan that it cannot stand."""

    watch: PlanWatch

    def __init__(self) -> None:
        self.restarts: list[str] = []
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


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


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
async def listening(
    server: Server, *namespaces: str, permitted: Callable[[str], Awaitable[str]] | None = None, **selection: Any
) -> AsyncIterator[Listener]:
    listener, stop = Listener(), asyncio.Event()
    async with serving(server) as connection:
        listener.watch = PlanWatch(
            connection,
            namespaces,
            listener,
            permitted=permitted,
            restarted=listener.restarts.append,
            times=QUICK,
            **selection,
        )
        running = asyncio.create_task(listener.watch.run(stop))
        try:
            yield listener
        finally:
            stop.set()
            await running


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
async def test_a_list_and_the_watch_after_it_have_the_same_selection() -> None:
    ranges = ["one", "two"]
    server = Server([["a"], ["b"]], [[GONE]])
    async with listening(server, labels="team=shop", shard=lambda: ranges.pop(0)) as listener:
        await until(lambda: len(server.selections) == 4)
        assert listener.restarts == ["gone"]
    assert server.selections == [("team=shop", "one")] * 2 + [("team=shop", "two")] * 2


@in_event_loop
async def test_a_plan_that_leaves_the_selection_has_no_teardown_to_miss() -> None:
    left = event("DELETED", "a")
    left["object"]["metadata"]["finalizers"] = ["execloop.dev/teardown"]
    seen: list[dict[str, Any]] = []
    async with listening(Server([["a"]], [[left]]), labels="team=shop") as listener:
        listener.seen = lambda _kind, body: seen.append(body["metadata"])  # type: ignore[assignment]
        await until(lambda: len(seen) == 2)
    assert "finalizers" not in seen[1]


@in_event_loop
async def test_after_a_gap_all_are_listed_again() -> None:
    server = Server([["a", "b"], ["b"]], [[GONE], [event("ADDED", "c")]])
    async with listening(server) as listener:
        told = await listener.until_told(6)
    assert told[3:] == [(None, "b"), (None, Key("red", "b")), ("ADDED", "c")]


@in_event_loop
async def test_of_a_list_that_broke_off_nothing_counts_as_found() -> None:
    server = Server([["b"]])
    server.list_faults = [breaks_off, breaks_off]
    async with listening(server) as listener:
        told = await listener.until_told(4)
    assert told == [(None, "a"), (None, "b"), (None, "b"), (None, Key("red", "b"))]


@in_event_loop
async def test_a_list_whose_pages_the_server_forgot_is_read_in_one() -> None:
    server = Server([["a"]])
    server.list_faults = [answers(listed(["a"], **{"continue": "page 2"})), refuses(410, "Expired")]
    async with listening(server) as listener:
        told = await listener.until_told(3)
    assert told == [(None, "a"), (None, "a"), (None, Key("red", "a"))]
    assert server.limits == ["500", "500", None]


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
async def test_bookmarks_are_no_events_of_a_plan() -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}
    async with listening(Server([[]], [[bookmark, event("ADDED", "a")]])) as listener:
        assert await listener.until_told(2) == [(None,), ("ADDED", "a")]


@in_event_loop
async def test_a_plan_that_brings_out_a_fault_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with listening(Server([["bad", "a"]], [[event("ADDED", "bad"), event("ADDED", "b")]])) as listener:
        told = await listener.until_told(3)
    assert told == [(None, "a"), (None, Key("red", "a"), Key("red", "bad")), ("ADDED", "b")]
    faults = [record for record in caplog.records if record.message == "an error of the operator"]
    assert [getattr(record, "plan", "") for record in faults] == ["red/bad", "red/bad"]


LIST_FAULTS = {
    "cut": cut,
    "HTML": HTML,
    "nothing": EMPTY,
    "null": answers(None),
    "a Status": answers({"kind": "Status"}),
    "no items": answers({"metadata": {"resourceVersion": "9"}, "items": None}),
    "a bad item": answers({"metadata": {"resourceVersion": "9"}, "items": [{}]}),
    "401": refuses(401, "Unauthorized"),
    "403": refuses(403, "Forbidden"),
    "404": refuses(404, "NotFound"),
    "404 of a proxy": answers("<html>", 404, "text/html"),
    "410": refuses(410, "Expired"),
    "429": refuses(429, "TooManyRequests"),
    "500": refuses(500, "InternalError"),
}
WATCH_FAULTS = {
    "cut": cut,
    "HTML": HTML,
    "nothing": EMPTY,
    "a list": answers("[]\n"),
    "a word": answers("null\n"),
    "half a line": answers('{"type": "ADDED", "obj'),
    "no object": answers('{"type": "ADDED"}\n'),
    "no name": answers('{"type": "ADDED", "object": {"metadata": {}}}\n'),
    "an unknown type": answers('{"type": "NEWS", "object": {"metadata": {}}}\n'),
    "401": refuses(401, "Unauthorized"),
    "404": refuses(404, "NotFound"),
    "410": refuses(410, "Expired"),
    "503": refuses(503, "ServiceUnavailable"),
    **{
        f"an ERROR {code}": answers(json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": code}}) + "\n")
        for code in (410, 500, 504, "x")
    },
}


class TestFaults:
    @pytest.mark.parametrize("fault", LIST_FAULTS.values(), ids=LIST_FAULTS)
    @in_event_loop
    async def test_a_list_that_fails_is_read_again(self, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
        server = Server([["a"]], [[event("ADDED", "b")]])
        server.list_faults = [fault, fault]
        async with listening(server) as listener:
            told = await listener.until_told(3)
        assert told == [(None, "a"), (None, Key("red", "a")), ("ADDED", "b")]
        assert len(listener.restarts) == 2
        assert not [record for record in caplog.records if record.exc_info]

    @pytest.mark.parametrize("fault", WATCH_FAULTS.values(), ids=WATCH_FAULTS)
    @in_event_loop
    async def test_a_watch_that_fails_begins_again(self, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
        server = Server([["a"]], [[event("ADDED", "b")]])
        server.watch_faults = [fault, fault]
        async with listening(server) as listener:
            await until(lambda: ("ADDED", "b") in listener.told and len(listener.restarts) >= 2)
        assert len(listener.restarts) == 2
        assert not [record for record in caplog.records if record.exc_info]

    @in_event_loop
    async def test_it_says_so_once_a_cause_and_without_a_traceback(self, caplog: pytest.LogCaptureFixture) -> None:
        server = Server([["a"]], [[event("ADDED", "b")]])
        server.list_faults = [HTML] * 3
        caplog.set_level(logging.INFO, "execloop")
        async with listening(server) as listener:
            await listener.until_told(3)
        message = "Plans: list plans: 200 NotKubernetes: the answer is not one of a Kubernetes API server; does a proxy"
        said = [record.message for record in caplog.records if record.levelno >= logging.INFO]
        assert [line[: len(message)] for line in said] == [message, "Plans: the watch works again after 0 s"]
        assert not [record for record in caplog.records if record.exc_info]

    @in_event_loop
    async def test_a_scan_of_the_api_that_fails_ends_kopf_and_kopf_starts_again(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("execloop.controller.watch.plans._FIRST_PAUSE", 0.01)
        server = Server([["a"]])
        server.scan_faults = [HTML]
        async with listening(server) as listener:
            await until(lambda: "starting it again" in caplog.text and listener.watch.up() == {"*": True})
            assert (None, Key("red", "a")) in listener.told


class TestSilence:
    @in_event_loop
    async def test_a_watch_that_tells_nothing_while_objects_change_is_found_and_all_are_listed(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = Server([["a"]])
        server.unheard = ["b"]
        async with listening(server) as listener:
            told = await listener.until_told(5)
        assert told == [
            (None, "a"),
            (None, Key("red", "a")),
            (None, "a"),
            (None, "b"),
            (None, Key("red", "a"), Key("red", "b")),
        ]
        assert listener.restarts[0] == "silent"
        assert "Plans: the watch was silent while objects changed (1): does a proxy buffer it?" in caplog.text

    @in_event_loop
    async def test_one_that_has_nothing_to_tell_is_no_fault(self, caplog: pytest.LogCaptureFixture) -> None:
        async with listening(Server([["a"]])) as listener:
            await listener.until_told(4)
            assert (listener.watch.problem, listener.watch.up()) == ("", {"*": True})
        assert caplog.text == ""


class TestReadiness:
    @in_event_loop
    async def test_a_watch_that_never_worked_is_a_problem(self) -> None:
        server = Server([["a"]])
        server.list_faults = [refuses(404, "NotFound")] * 1000
        async with listening(server, "red") as listener:
            await until(lambda: bool(listener.watch.problem))
            message = "Plans in red cannot be listed: GET plans in red: 404 NotFound: NotFound"
            assert (listener.watch.problem, listener.watch.up()) == (message, {"red": False})
            server.list_faults.clear()
            await listener.until_told(2)
            await until(lambda: not listener.watch.problem)

    @in_event_loop
    async def test_a_namespace_without_rights_keeps_no_other_from_its_plans(self) -> None:
        missing = {"blue": "rights are missing: update plans.execloop.dev/status in blue"}

        async def permitted(namespace: str) -> str:
            return missing.get(namespace, "")

        async with listening(Server([["a"]]), "red", "blue", permitted=permitted) as listener:
            await listener.until_told(2)
            assert (None, Key("blue", "a")) not in listener.told
            await until(lambda: bool(listener.watch.problem))
            assert listener.watch.problem == f"Plans in blue cannot be listed: 403 Forbidden: {missing['blue']}"
            assert listener.watch.up() == {"red": True, "blue": False}
            missing.clear()
            await until(lambda: not listener.watch.problem)
            assert ("blue", Key("blue", "a")) in listener.told


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
