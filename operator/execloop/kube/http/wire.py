"""One connection to a server: HTTP/1.1, one request at a time. `pool.py` opens, keeps and closes them."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["Answer", "Disconnected", "Wire"]

_INFORMATION: Final = 200
"""Below it an answer announces another one."""


class Answer(NamedTuple):
    """What a server said to one request."""

    status: int
    retry_after: str | None
    """The header of that name."""
    content: bytes


class Disconnected(Exception):
    """The connection ended, or brought no HTTP, before its answer was whole. The message names the kind of end."""


class Wire(asyncio.Protocol):
    """`send` the bytes of a request and await its answer; `usable` says whether another may follow."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done once the transport has closed the connection."""
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._retry_after: str | None = None
        self._content: list[bytes] = []
        self._framed = self._headed = False

    @property
    def usable(self) -> bool:
        """Return whether the connection is open and no answer is outstanding."""
        return self._transport is not None and not self._transport.is_closing() and self._answer is None

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; the future raises Disconnected. Abort the connection when it is not awaited to its end."""
        assert self._answer is None
        answer = self._loop.create_future()
        if self._transport is None or self._transport.is_closing():
            answer.set_exception(Disconnected("ServerDisconnectedError"))
        else:
            self._answer = answer
            self._transport.write(request)
        return answer

    def abort(self) -> None:
        """Close at once: TLS's farewell may outlast the loop."""
        if self._transport is not None:
            self._transport.abort()

    # -- what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's is none by name

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(type(error).__name__)

    def eof_received(self) -> None:
        if self._answer is not None and self._headed and not self._framed:
            self._complete()  # an answer that ends with its connection
        self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._fail("ServerDisconnectedError" if error is None else type(error).__name__)
        if not self.ended.done():
            self.ended.set_result(None)

    # -- what the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"retry-after":
            self._retry_after = value.decode("latin-1")
        elif lower in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_body(self, body: bytes) -> None:
        self._content.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < _INFORMATION:
            self._forget()
            return
        if not self._parser.should_keep_alive() or self._answer is None:  # no request is open: the framing is lost
            self.abort()
        self._complete()

    # --

    def _complete(self) -> None:
        answer = Answer(self._parser.get_status_code(), self._retry_after, b"".join(self._content))
        waiting, self._answer = self._answer, None
        self._forget()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _fail(self, kind: str) -> None:
        waiting, self._answer = self._answer, None
        self._forget()
        self.abort()
        if waiting is not None and not waiting.done():
            waiting.set_exception(Disconnected(kind))

    def _forget(self) -> None:
        self._retry_after, self._content, self._framed, self._headed = None, [], False, False
