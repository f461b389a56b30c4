"""Roads to one server that know how to authenticate: for each event loop one for requests, and one for streams.

Streams take aiohttp. Requests take connections of our own (`pool.py`), which cost half of the CPU; where a proxy
leads to the server they take aiohttp too.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
from yarl import URL

from execloop._engine.runtime.threads import Threads
from execloop.kube.config.tls import Tls
from execloop.kube.http.pool import Address, Pool
from execloop.kube.http.wire import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from aiohttp.client_middlewares import ClientHandlerType

    from execloop.kube.config.cluster import Cluster
    from execloop.kube.config.credentials import Credential

__all__ = ["Sessions", "user_agent"]

Check: TypeAlias = "Callable[[aiohttp.ClientResponse], Awaitable[None]]"

_CONNECTIONS = 100
_Use: TypeAlias = "tuple[asyncio.AbstractEventLoop, bool]"
_CONNECT_SECONDS = 10.0
_UNAUTHORIZED = 401


def user_agent() -> str:
    return f"execloop/{version('execloop')}"


class Sessions:
    """Opens a loop's session when it is first asked for; the session closes with its loop."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._server = URL(cluster.server, encoded=True)
        self._origin = self._server.origin()
        self._start = self._server.raw_path.rstrip("/")
        self._head = f"Host: {self._server.raw_authority}\r\nUser-Agent: {user_agent()}\r\n"
        self._direct = cluster.proxy is None and self._server.raw_user is None
        self._threads = Threads("execloop-credentials")
        self._tls: Tls | None = None
        self._open: dict[_Use, aiohttp.ClientSession | Pool] = {}
        self._lifetimes: dict[_Use, AsyncGenerator[None, None]] = {}

    async def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        """Send a request and read its answer whole. `target`: path and query, within the server's own path.

        Raises ConfigurationError without credentials, and what the road raises for a server that does not answer.
        """
        if not self._direct:
            timeout = aiohttp.ClientTimeout(seconds, sock_connect=_CONNECT_SECONDS)
            async with await self.open(method, target, headers, timeout, body) as response:
                return Answer(response.status, response.headers.get("Retry-After"), await response.read())
        async with asyncio.timeout(seconds):
            credential = self._cluster.credentials.fresh() or await self._renew(None)
            answer = await self._ask(method, target, headers, body, credential)
            if answer.status != _UNAUTHORIZED:
                return answer
            renewed = await self._renew(credential)
            return answer if renewed is credential else await self._ask(method, target, headers, body, renewed)

    async def open(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own
        body: bytes | None = None,
        *,
        streams: bool = False,
    ) -> aiohttp.ClientResponse:
        """Send a request; its answer is yet to be read, and its connection the caller's until then."""
        session = await self._current(streams, lambda: self.new(limit=0 if streams else _CONNECTIONS))
        assert isinstance(session, aiohttp.ClientSession)
        url = URL(f"{self._cluster.server}{target}", encoded=True)
        return await session.request(method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False)

    async def _ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, credential: Credential
    ) -> Answer:
        pool = await self._current(False, self._new_pool)
        assert isinstance(pool, Pool)
        lines = [f"{method} {self._start}{target} HTTP/1.1\r\n{self._head}"]
        lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
        if credential.authorization is not None:
            lines.append(f"Authorization: {credential.authorization}\r\n")
        lines.append("\r\n" if body is None else f"Content-Length: {len(body)}\r\n\r\n")
        return await pool.exchange(_head(lines) + (body or b""), credential.certificate)

    def _new_pool(self) -> Pool:
        host, port = self._origin.host, self._origin.port
        assert host is not None
        assert port is not None
        tls = self._trust()
        return Pool(Address(host, port, (self._cluster.server_name or host) if tls else None), tls, _CONNECTIONS)

    async def _current(
        self, streams: bool, make: Callable[[], aiohttp.ClientSession | Pool]
    ) -> aiohttp.ClientSession | Pool:
        """What the running loop has. A stream keeps its connection, so it must not be one of those for requests."""
        use = asyncio.get_running_loop(), streams
        road = self._open.get(use)
        if road is None or road.closed:
            self._forget_closed_loops()
            road = self._open[use] = make()
            self._lifetimes[use] = lifetime = self._lifetime(use, road)
            # asyncio.run() finalises a loop's asynchronous generators before it closes the loop: one of them closes
            # the road, so that plan code may use asyncio.run() without a thought for it.
            await anext(lifetime)
        return road

    async def close(self) -> None:
        """Close the roads of the running loop."""
        for streams in (False, True):
            if (lifetime := self._lifetimes.get((asyncio.get_running_loop(), streams))) is not None:
                await lifetime.aclose()

    def new(self, *, limit: int = _CONNECTIONS, check: Check | None = None) -> aiohttp.ClientSession:
        """A session whose owner closes it.

        `limit`: connections at one moment, 0 for any number. `check` sees each answer, and may raise.
        """
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=tls.context if (tls := self._trust()) else True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": user_agent()},
            middlewares=(self._authenticate,),
            proxy=self._cluster.proxy,
            raise_for_status=check or False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        )

    async def _lifetime(self, use: _Use, road: aiohttp.ClientSession | Pool) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with suppress(KeyError):
                del self._open[use], self._lifetimes[use]
            await road.close()

    def _forget_closed_loops(self) -> None:
        for use in [use for use in self._open if use[0].is_closed()]:
            self._open.pop(use, None)
            self._lifetimes.pop(use, None)

    def _trust(self) -> Tls | None:
        if self._tls is None and self._origin.scheme == "https":
            self._tls = Tls(self._cluster.ca, insecure=self._cluster.insecure)
        return self._tls

    async def _authenticate(self, request: aiohttp.ClientRequest, send: ClientHandlerType) -> aiohttp.ClientResponse:
        if request.url.origin() != self._origin:  # a redirect: these credentials are for the cluster only
            return await send(request)
        credential = self._cluster.credentials.fresh() or await self._renew(None)
        response = await self._send(request, send, credential)
        if response.status != _UNAUTHORIZED:
            return response
        renewed = await self._renew(credential)
        if renewed is credential:
            return response
        await response.read()  # a connection whose answer was not read is closed, not used again
        return await self._send(request, send, renewed)

    async def _send(
        self, request: aiohttp.ClientRequest, send: ClientHandlerType, credential: Credential
    ) -> aiohttp.ClientResponse:
        if self._tls is not None:
            self._tls.show(credential.certificate)
        if self._cluster.server_name:
            request.server_hostname = self._cluster.server_name
        if credential.authorization is not None:
            request.headers["Authorization"] = credential.authorization
        return await send(request)

    async def _renew(self, rejected: Credential | None) -> Credential:
        return await self._threads.call(lambda: self._cluster.credentials.renew(rejected))


def _head(lines: list[str]) -> bytes:
    """Return the head of a request. Raises ValueError for a line break in a value: it would begin another header."""
    head = "".join(lines)
    if head.count("\n") != len(lines) + 2 + lines[-1].startswith("Content"):
        raise ValueError("a line break in a path or in a header")
    return head.encode()
