"""Connections to a server that answers byte by byte as each test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from execloop.kube.config.credentials import ClientCertificate
from execloop.kube.http.pool import Address, ConnectFailed, Pool
from execloop.kube.http.wire import Answer, Disconnected
from tests.asynchronous import in_event_loop

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

Script = Callable[["Server", asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Does for each request what the script says, and keeps what came and on how many connections."""

    def __init__(self, script: Script) -> None:
        self.script, self.requests, self.connections = script, list[bytes](), 0
        self.port = 0
        self.asked = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        try:
            while not writer.is_closing():
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                self.asked.set()
                await self.script(self, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)


@asynccontextmanager
async def pooled(script: Script, limit: int = 10) -> AsyncIterator[tuple[Pool, Server]]:
    server = Server(script)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    pool = Pool(Address("127.0.0.1", server.port, None), None, limit)
    try:
        yield pool, server
    finally:
        await pool.close()
        listening.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


def saying(*parts: bytes, then_close: bool = False) -> Script:
    async def script(_server: Server, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if then_close:
            writer.close()
            await writer.wait_closed()

    return script


async def never(_server: Server, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        pytest.param(saying(OK), Answer(200, None, b"{}"), id="at once"),
        pytest.param(saying(*(bytes([byte]) for byte in OK)), Answer(200, None, b"{}"), id="byte by byte"),
        pytest.param(
            saying(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n"),
            Answer(201, None, b"{}"),
            id="in chunks",
        ),
        pytest.param(saying(b"HTTP/1.1 204 No Content\r\n\r\n"), Answer(204, None, b""), id="without a body"),
        pytest.param(
            saying(b"HTTP/1.0 200 OK\r\n\r\n{", b"}", then_close=True), Answer(200, None, b"{}"), id="until the end"
        ),
        pytest.param(
            saying(b"HTTP/1.1 100 Continue\r\n\r\n", OK), Answer(200, None, b"{}"), id="after an announcement"
        ),
        pytest.param(
            saying(b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\nContent-Length: 0\r\n\r\n"),
            Answer(429, "7", b""),
            id="with a time to wait",
        ),
    ],
)
@in_event_loop
async def test_an_answer_is_whole_however_it_comes(script: Script, answer: Answer) -> None:
    async with pooled(script) as (pool, _):
        assert await pool.exchange(ASK, None) == answer


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(saying(then_close=True), id="no byte"),
        pytest.param(saying(OK[:-1], then_close=True), id="cut in the body"),
        pytest.param(saying(OK[:20], then_close=True), id="cut in the head"),
        pytest.param(saying(b"SSH-2.0-OpenSSH\r\n"), id="no HTTP"),
    ],
)
@in_event_loop
async def test_what_is_no_whole_answer_is_a_broken_connection(script: Script) -> None:
    async with pooled(script) as (pool, _):
        with pytest.raises(Disconnected):
            await pool.exchange(ASK, None)


@in_event_loop
async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with pooled(saying(OK)) as (pool, server):
        for _ in range(5):
            await pool.exchange(ASK, None)
        assert (server.connections, len(server.requests)) == (1, 5)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(saying(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), id="it says so"),
        pytest.param(saying(OK, OK), id="it answers twice"),
        pytest.param(saying(OK, then_close=True), id="it closes"),
    ],
)
@in_event_loop
async def test_a_connection_that_its_server_ends_serves_no_other_request(script: Script) -> None:
    async with pooled(script) as (pool, server):
        for _ in range(3):
            await pool.exchange(ASK, None)
            await asyncio.sleep(0.01)
        assert server.connections == 3


@in_event_loop
async def test_no_more_connections_than_the_limit() -> None:
    async def slow(_server: Server, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.001)
        writer.write(OK)

    async with pooled(slow, limit=3) as (pool, server):
        await asyncio.gather(*(pool.exchange(ASK, None) for _ in range(20)))
        assert (server.connections, len(server.requests)) == (3, 20)


@in_event_loop
async def test_a_cancelled_request_takes_its_connection_with_it() -> None:
    async with pooled(never) as (pool, server):
        asked = asyncio.create_task(pool.exchange(ASK, None))
        await server.asked.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        server.script = saying(OK)
        assert await pool.exchange(ASK, None) == Answer(200, None, b"{}")
        assert server.connections == 2


@in_event_loop
async def test_nothing_of_a_request_is_sent_once_it_was_cancelled() -> None:
    async with pooled(saying(OK)) as (pool, server):
        for turns in range(6):
            asked = asyncio.create_task(pool.exchange(ASK, None))
            for _ in range(turns):
                await asyncio.sleep(0)
            asked.cancel()
            with suppress(asyncio.CancelledError):
                await asked
            sent = len(server.requests)
            await asyncio.sleep(0.01)
            assert len(server.requests) - sent <= (1 if turns > 4 else 0)


@in_event_loop
async def test_a_new_certificate_is_shown_on_a_new_connection() -> None:
    old, new = ClientCertificate("old", "key"), ClientCertificate("new", "key")
    async with pooled(saying(OK)) as (pool, server):
        for certificate in (old, old, new, new):
            await pool.exchange(ASK, certificate)
        assert server.connections == 2


@in_event_loop
async def test_a_broken_connection_takes_those_with_it_that_wait() -> None:
    async with pooled(saying(OK)) as (pool, server):
        await asyncio.gather(*(pool.exchange(ASK, None) for _ in range(3)))
        server.script = saying(then_close=True)
        with pytest.raises(Disconnected):
            await pool.exchange(ASK, None)
        server.script = saying(OK)
        assert (await pool.exchange(ASK, None)).status == 200
        assert server.connections == 4


@in_event_loop
async def test_a_port_where_nothing_listens() -> None:
    async with pooled(saying(OK)) as (_, server):
        port = server.port
    pool = Pool(Address("127.0.0.1", port, None), None, 1)
    with pytest.raises(ConnectFailed) as failed:
        await pool.exchange(ASK, None)
    assert isinstance(failed.value.cause, ConnectionRefusedError)
    await pool.close()


@in_event_loop
async def test_a_closed_pool_leaves_no_connection_open() -> None:
    async with pooled(never) as (pool, server):
        asked = asyncio.create_task(pool.exchange(ASK, None))
        await server.asked.wait()
        await pool.close()
        with pytest.raises(Disconnected):
            await asked
