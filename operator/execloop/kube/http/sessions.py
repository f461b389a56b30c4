"""HTTP sessions that know how to authenticate: for each event loop one for requests, and one for streams."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

import aiohttp
from yarl import URL

from execloop._engine.threads import Threads
from execloop.kube.config.tls import Tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from aiohttp.client_middlewares import ClientHandlerType

    from execloop.kube.config.cluster import Cluster
    from execloop.kube.config.credentials import Credential

__all__ = ["Sessions", "user_agent"]

Check: TypeAlias = "Callable[[aiohttp.ClientResponse], Awaitable[None]]"

_CONNECTIONS = 100
_Use: TypeAlias = "tuple[asyncio.AbstractEventLoop, bool]"
_CONNECT_SECONDS = 10.0


def user_agent() -> str:
    return f"execloop/{version('execloop')}"


class Sessions:
    """Opens a loop's session when it is first asked for; the session closes with its loop."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._origin = URL(cluster.server).origin()
        self._threads = Threads("execloop-credentials")
        self._tls: Tls | None = None
        self._open: dict[_Use, aiohttp.ClientSession] = {}
        self._lifetimes: dict[_Use, AsyncGenerator[None, None]] = {}

    async def current(self, *, streams: bool = False) -> aiohttp.ClientSession:
        """A session of the running loop. A stream keeps its connection, so it must not be one of those for requests."""
        use = asyncio.get_running_loop(), streams
        session = self._open.get(use)
        if session is None or session.closed:
            self._forget_closed_loops()
            session = self._open[use] = self.new(limit=0 if streams else _CONNECTIONS)
            self._lifetimes[use] = lifetime = self._lifetime(use, session)
            # asyncio.run() finalises a loop's asynchronous generators before it closes the loop: one of them closes
            # the session, so that plan code may use asyncio.run() without a thought for it.
            await anext(lifetime)
        return session

    async def close(self) -> None:
        """Close the sessions of the running loop."""
        for streams in (False, True):
            if (lifetime := self._lifetimes.get((asyncio.get_running_loop(), streams))) is not None:
                await lifetime.aclose()

    def new(self, *, limit: int = _CONNECTIONS, check: Check | None = None) -> aiohttp.ClientSession:
        """A session whose owner closes it.

        `limit`: connections at one moment, 0 for any number. `check` sees each answer, and may raise.
        """
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=self._trust()),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": user_agent()},
            middlewares=(self._authenticate,),
            proxy=self._cluster.proxy,
            raise_for_status=check or False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        )

    async def _lifetime(self, use: _Use, session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with suppress(KeyError):
                del self._open[use], self._lifetimes[use]
            await session.close()

    def _forget_closed_loops(self) -> None:
        for use in [use for use in self._open if use[0].is_closed()]:
            self._open.pop(use, None)
            self._lifetimes.pop(use, None)

    def _trust(self) -> ssl.SSLContext | bool:
        if self._tls is None and self._origin.scheme == "https":
            self._tls = Tls(self._cluster.ca, insecure=self._cluster.insecure)
        return self._tls.context if self._tls else True

    async def _authenticate(self, request: aiohttp.ClientRequest, send: ClientHandlerType) -> aiohttp.ClientResponse:
        if request.url.origin() != self._origin:  # a redirect: these credentials are for the cluster only
            return await send(request)
        credential = self._cluster.credentials.fresh() or await self._renew(None)
        response = await self._send(request, send, credential)
        if response.status != 401:  # noqa: PLR2004 - Unauthorized
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
