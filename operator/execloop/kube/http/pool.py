"""Connections of one event loop to one server, each used by one request at a time and kept for the next."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from aiohappyeyeballs import start_connection

from execloop.kube.http.wire import Answer, Disconnected, Wire

if TYPE_CHECKING:
    from execloop.kube.config.credentials import ClientCertificate
    from execloop.kube.config.tls import Tls

__all__ = ["Address", "ConnectFailed", "Pool"]

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 15.0
"""Less than what servers and balancers keep an idle connection for."""
_CLOSE_SECONDS = 1.0
_NEXT_ADDRESS = 0.25


class Address(NamedTuple):
    """`tls_name`: the name in the certificate; None without TLS."""

    host: str
    port: int
    tls_name: str | None


class ConnectFailed(Exception):
    """No connection came about; the cause is what the system said."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Pool:
    """At most `limit` connections at one moment: a request waits for a place.

    `exchange` raises ConnectFailed, Disconnected, TimeoutError. A request that is cancelled takes its connection with
    it, so nothing of it is sent once it was cancelled.
    """

    def __init__(self, address: Address, tls: Tls | None, limit: int) -> None:
        self._address, self._tls = address, tls
        self._places = asyncio.Semaphore(limit)
        self._loop = asyncio.get_running_loop()
        self._idle: list[tuple[float, Wire]] = []
        """Since when, and what; the one that was used last is the last."""
        self._open: dict[Wire, ClientCertificate | None] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self.closed = False

    async def exchange(self, request: bytes, certificate: ClientCertificate | None) -> Answer:
        """Send a request on a connection that shows this certificate, and return the answer to it."""
        async with self._places:
            wire = self._kept(certificate) or await self._connect(certificate)
            try:
                answer = await wire.send(request)
            except Disconnected:
                self._drop_idle()  # they are as old: a server that restarted has closed them all
                raise
            except BaseException:
                wire.abort()
                raise
            self._keep(wire)
            return answer

    async def close(self) -> None:
        """Close every connection, those at work too."""
        self.closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        wires = list(self._open)
        for wire in wires:
            wire.abort()
        if wires:
            await asyncio.wait([wire.ended for wire in wires], timeout=_CLOSE_SECONDS)

    def _kept(self, certificate: ClientCertificate | None) -> Wire | None:
        while self._idle:
            _, wire = self._idle.pop()
            if wire.usable and self._open.get(wire) is certificate:
                return wire
            wire.abort()
        return None

    async def _connect(self, certificate: ClientCertificate | None) -> Wire:
        host, port, name = self._address
        context = None
        if self._tls is not None:
            self._tls.show(certificate)
            context = self._tls.context
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                plug = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS, interleave=1)
                try:
                    _, wire = await self._loop.create_connection(Wire, sock=plug, ssl=context, server_hostname=name)
                except BaseException:
                    plug.close()
                    raise
        except TimeoutError:
            raise
        except OSError as error:
            raise ConnectFailed(error) from error
        self._open[wire] = certificate
        wire.ended.add_done_callback(lambda _ended: self._open.pop(wire, None))
        return wire

    def _keep(self, wire: Wire) -> None:
        if self.closed or not wire.usable:
            wire.abort()
            return
        self._idle.append((self._loop.time(), wire))
        if self._sweep is None:
            self._sweep = self._loop.call_later(_IDLE_SECONDS, self._close_old)

    def _close_old(self) -> None:
        since = self._loop.time() - _IDLE_SECONDS
        old = [wire for moment, wire in self._idle if moment <= since]
        self._idle = [(moment, wire) for moment, wire in self._idle if moment > since]
        for wire in old:
            wire.abort()
        self._sweep = self._loop.call_later(_IDLE_SECONDS, self._close_old) if self._idle else None

    def _drop_idle(self) -> None:
        for _, wire in self._idle:
            with suppress(RuntimeError):
                wire.abort()
        self._idle.clear()
