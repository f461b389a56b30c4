"""Requests to a server that misbehaves as no real API server would on demand."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from execloop.kube import APPLY, JSON, MERGE_PATCH, ApiError, Cluster, ConfigurationError, Connection, LeaseLost
from execloop.kube.config.credentials import Credential, RenewableCredentials, StaticCredentials
from execloop.kube.http.retry import pause_before_retry
from tests.asynchronous import in_event_loop

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
PODS = "/api/v1/pods"
TOKEN = StaticCredentials(Credential("Bearer s3cret"))


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Script:
    """Answers with one response after the other, the last one again and again, and keeps the requests."""

    def __init__(self, *responses: Callable[[web.BaseRequest], web.Response]) -> None:
        self.responses = list(responses)
        self.requests: list[web.BaseRequest] = []
        self.bodies: list[str] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.text())
        return self.responses.pop(0)(request) if len(self.responses) > 1 else self.responses[0](request)


def answer(status: int = 200, body: object = None, **headers: str) -> Callable[[web.BaseRequest], web.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.json_response(body if body is not None else {}, status=status, headers=named)


def hang_up(request: web.BaseRequest) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


# --- what is sent again


@pytest.mark.parametrize(
    ("error", "repeatable", "failures", "pause"),
    [
        (ApiError(429, "TooManyRequests", "", retry_after=2), False, 0, 2.0),
        (ApiError(429, "TooManyRequests", "", retry_after=2), False, 2, 2.0),
        (ApiError(429, "TooManyRequests", "", retry_after=2), False, 3, None),
        (ApiError(429, "TooManyRequests", "", retry_after=600), False, 0, 10.0),
        (ApiError(429, "TooManyRequests", ""), False, 0, None),
        (ApiError(503, "ServiceUnavailable", "", retry_after=1), False, 0, 1.0),
        (ApiError(503, "ServiceUnavailable", ""), True, 0, None),
        (ApiError(500, "InternalError", "", retry_after=1), True, 0, None),
        (ApiError(0, "Disconnected", ""), True, 0, 0.0),
        (ApiError(0, "Disconnected", ""), True, 1, None),
        (ApiError(0, "Disconnected", ""), False, 0, None),
        (ApiError(0, "Unreachable", ""), True, 0, None),
        (ApiError(0, "Timeout", ""), True, 0, None),
        (ApiError(409, "Conflict", ""), True, 0, None),
    ],
)
def test_a_failed_request_is_sent_again_by_these_rules(
    error: ApiError, repeatable: bool, failures: int, pause: float | None
) -> None:
    assert pause_before_retry(error, repeatable=repeatable, failures=failures) == pause


@in_event_loop
async def test_a_throttled_request_arrives_in_the_end() -> None:
    script = Script(answer(429, Retry_After="0"), answer(503, Retry_After="0"), answer(body={"kind": "Pod"}))
    async with serving(script) as server:
        assert await Connection(Cluster(server, TOKEN)).request("POST", PODS, body={}) == {"kind": "Pod"}
    assert len(script.requests) == 3


@pytest.mark.parametrize(
    ("method", "content_type", "attempts"),
    [
        ("GET", JSON, 2),
        ("PUT", JSON, 2),
        ("DELETE", JSON, 2),
        ("PATCH", APPLY, 2),
        ("PATCH", MERGE_PATCH, 2),
        ("PATCH", "application/json-patch+json", 1),
        ("POST", JSON, 1),
    ],
)
@in_event_loop
async def test_after_a_broken_connection_only_what_does_no_harm_is_sent_again(
    method: str, content_type: str, attempts: int
) -> None:
    script = Script(hang_up)
    async with serving(script) as server:
        with pytest.raises(ApiError) as lost:
            await Connection(Cluster(server, TOKEN)).request(method, PODS, body={}, content_type=content_type)
    assert (lost.value.status, lost.value.reason, len(script.requests)) == (0, "Disconnected", attempts)


@in_event_loop
async def test_no_number_of_streams_keeps_a_request_waiting() -> None:
    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({})
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{}\n")
        await asyncio.Event().wait()
        return response

    async with serving(endless) as server, AsyncExitStack() as stack:
        connection = Connection(Cluster(server, TOKEN))
        stack.push_async_callback(connection.close)
        for _ in range(120):
            stream = await stack.enter_async_context(aclosing(connection.stream(PODS, {"watch": "1"})))
            assert await anext(stream) == {}
        assert await connection.request("GET", PODS, timeout=5) == {}


# --- what the errors say


@in_event_loop
async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ApiError) as unreachable:
            await Connection(Cluster(server, TOKEN)).request("GET", PODS)
    assert str(unreachable.value) == f"GET pods: Unreachable: {server}: Connection refused"


@in_event_loop
async def test_a_server_that_does_not_answer() -> None:
    async def silent(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(silent) as server:
        with pytest.raises(ApiError) as late:
            await Connection(Cluster(server, TOKEN)).request("GET", PODS, timeout=0.01)
        assert str(late.value) == f"GET pods: Timeout: {server} did not answer in time"


@in_event_loop
async def test_a_server_of_another_kind() -> None:
    async def welcome(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="<html>Welcome to nginx!</html>")

    async with serving(welcome) as server:
        with pytest.raises(ApiError, match="GET pods: 200 NotJSON: is this a Kubernetes API server"):
            await Connection(Cluster(server, TOKEN)).request("GET", PODS)


@in_event_loop
async def test_credentials_that_are_not_to_be_had() -> None:
    def broken() -> Credential:
        raise ConfigurationError("users[u].exec: please log in")

    async with serving(Script(answer())) as server:
        with pytest.raises(ApiError, match=r"GET pods: NoCredentials: users\[u\]\.exec: please log in"):
            await Connection(Cluster(server, RenewableCredentials(broken))).request("GET", PODS)


# --- who sends


@in_event_loop
async def test_a_rejected_credential_is_renewed_once() -> None:
    tokens = iter(["old", "new", "newer"])
    script = Script(answer(401))
    async with serving(script) as server:
        credentials = RenewableCredentials(lambda: Credential(f"Bearer {next(tokens)}"))
        with pytest.raises(ApiError, match="401 Unauthorized"):
            await Connection(Cluster(server, credentials)).request("PATCH", PODS, body={"a": 1})
    assert [request.headers["Authorization"] for request in script.requests] == ["Bearer old", "Bearer new"]
    assert script.bodies == ['{"a":1}', '{"a":1}']


@in_event_loop
async def test_a_credential_that_cannot_be_renewed_is_shown_once() -> None:
    script = Script(answer(401))
    async with serving(script) as server:
        with pytest.raises(ApiError, match="401 Unauthorized"):
            await Connection(Cluster(server, TOKEN)).request("GET", PODS)
    assert len(script.requests) == 1


@in_event_loop
async def test_a_request_can_be_made_as_a_service_account() -> None:
    script = Script(answer())
    async with serving(script) as server:
        connection = Connection(Cluster(server, TOKEN))
        await connection.impersonating("team", "deployer").request("GET", PODS)
        await connection.request("GET", PODS)
    users = [request.headers.get("Impersonate-User") for request in script.requests]
    assert users == ["system:serviceaccount:team:deployer", None]


@in_event_loop
async def test_a_line_break_begins_no_header() -> None:
    script = Script(answer())
    async with serving(script) as server:
        for connection, path in (
            (Connection(Cluster(server, StaticCredentials(Credential("Bearer a\r\nImpersonate-User: root")))), PODS),
            (Connection(Cluster(server, TOKEN)), f"{PODS} HTTP/1.1\r\nX: y"),
        ):
            with pytest.raises(ValueError, match="line break"):
                await connection.request("GET", path)
    assert not script.requests


@in_event_loop
async def test_through_a_proxy_a_request_reaches_the_same_server() -> None:
    script = Script(answer(body={"kind": "Pod"}))
    async with serving(script) as proxy:
        connection = Connection(Cluster("http://api.example", TOKEN, proxy=proxy))
        assert await connection.request("PATCH", PODS, body={}, content_type=APPLY) == {"kind": "Pod"}
        await connection.close()
    assert script.requests[0].headers["Authorization"] == "Bearer s3cret"


@in_event_loop
async def test_a_server_may_have_a_path_of_its_own() -> None:
    script = Script(answer())
    async with serving(script) as server:
        await Connection(Cluster(f"{server}/k8s/clusters/c-1", TOKEN)).request("GET", PODS, query={"limit": "1"})
    assert script.requests[0].path_qs == f"/k8s/clusters/c-1{PODS}?limit=1"


@in_event_loop
async def test_a_redirect_is_not_followed() -> None:
    script = Script(answer(302, Location="http://127.0.0.1:1/"))
    async with serving(script) as server:
        with pytest.raises(ApiError, match="GET pods: 302 Found"):
            await Connection(Cluster(server, TOKEN)).request("GET", PODS)


@in_event_loop
async def test_a_session_that_was_handed_out_authenticates_here_and_nowhere_else() -> None:
    elsewhere = Script(answer())
    async with serving(elsewhere) as other:
        here = Script(answer(302, Location=other))
        async with serving(here) as server, Connection(Cluster(server, TOKEN)).open_session() as session:
            response = await session.get(f"{server}{PODS}")
            assert (response.status, await response.read()) == (200, b"{}")
    assert here.requests[0].headers["Authorization"] == "Bearer s3cret"
    assert "Authorization" not in elsewhere.requests[0].headers


def test_each_event_loop_has_a_session_that_ends_with_it() -> None:
    """Whatever stayed open would be a ResourceWarning, which is an error here."""

    async def main() -> None:
        async with serving(Script(answer())) as server:
            connections[0:] = [Connection(Cluster(server, TOKEN))]
            await connections[0].request("GET", PODS)

    connections: list[Connection] = []
    asyncio.run(main())
    asyncio.run(main())


# --- streams


@in_event_loop
async def test_a_stream_gives_each_line_however_long_and_however_cut() -> None:
    objects = [{"a": "x" * 3_000_000}, {"b": "\\n"}, {"c": 1}, {"d": 2}]
    content = "".join(json.dumps(value) + "\n" for value in objects).encode() + b'{"cut'

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(content), 999_983):
            await response.write(content[start : start + 999_983])
        return response

    async with serving(handler) as server:
        stream = Connection(Cluster(server, TOKEN)).stream(PODS)
        assert [value async for value in stream] == objects


@in_event_loop
async def test_lines_are_a_text_as_it_is() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"plain {\n\xff\n\n" if request.query.get("follow") else b"")

    async with serving(handler) as server:
        connection = Connection(Cluster(server, TOKEN))
        assert [line async for line in connection.lines(PODS, {"follow": "true"})] == ["plain {", "\ufffd", ""]


@in_event_loop
async def test_a_stream_that_breaks_raises_after_what_it_gave() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"a":1}\n')
        await asyncio.sleep(0)
        return hang_up(request)

    async with serving(handler) as server, aclosing(Connection(Cluster(server, TOKEN)).stream(PODS)) as stream:
        assert await anext(stream) == {"a": 1}
        with pytest.raises(ApiError, match="GET pods: Disconnected"):
            await anext(stream)


@in_event_loop
async def test_a_refused_stream_raises_what_the_server_said() -> None:
    async with serving(Script(answer(410, {"reason": "Expired", "message": "too old"}))) as server:
        with pytest.raises(ApiError, match="GET pods: 410 Expired: too old"):
            await anext(Connection(Cluster(server, TOKEN)).stream(PODS, {"watch": "true"}))


def test_a_connection_is_loaded_without_an_event_loop(tmp_path: Path) -> None:
    path = tmp_path / "config"
    entry = {"name": "x", "cluster": {"server": "https://api.example"}, "context": {"cluster": "x"}}
    path.write_text(json.dumps({"current-context": "x", "contexts": [entry], "clusters": [entry]}))
    assert Connection.load(path).server == "https://api.example"


# --- who else has a say


@in_event_loop
async def test_a_guarded_connection_reads_and_asks_before_it_writes() -> None:
    def refuse() -> None:
        raise LeaseLost("no")

    async with serving(script := Script(answer())) as server:
        guarded = Connection(Cluster(server, TOKEN)).guarded(refuse)
        await guarded.request("GET", PODS)
        for connection in (guarded, guarded.impersonating("a", "b")):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                with pytest.raises(LeaseLost, match="no"):
                    await connection.request(method, PODS, body={})
        await guarded.close()
    assert [request.method for request in script.requests] == ["GET"]


@in_event_loop
async def test_a_guarded_connection_asks_again_before_it_tries_again() -> None:
    held = [True]

    def permit() -> None:
        if not held.pop():
            raise LeaseLost("no")
        held.append(False)

    async with serving(script := Script(answer(429, Retry_After="0"), answer())) as server:
        guarded = Connection(Cluster(server, TOKEN)).guarded(permit)
        with pytest.raises(LeaseLost, match="no"):
            await guarded.request("PATCH", PODS, body={})
        await guarded.close()
    assert len(script.requests) == 1


@in_event_loop
async def test_each_attempt_is_told() -> None:
    told = []
    async with serving(Script(answer(429, Retry_After="0"), answer(), answer(404), hang_up)) as server:
        connection = Connection(
            Cluster(server, TOKEN), lambda method, status, seconds: told.append((method, status, seconds >= 0))
        )
        await connection.request("POST", PODS, body={})
        for method in ("DELETE", "PATCH"):
            with pytest.raises(ApiError):
                await connection.request(method, PODS)
        with pytest.raises(ApiError):
            await anext(connection.stream(PODS))
        await connection.close()
    assert told == [
        ("POST", 429, True),
        ("POST", 200, True),
        ("DELETE", 404, True),
        ("PATCH", 0, True),
        ("WATCH", 0, True),
    ]
