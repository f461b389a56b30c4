"""Requests of one plan: with its headers and credentials, placeholders filled in."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from yarl import URL

from execloop.library.addresses import Addresses
from execloop.library.http.auth import Auth, secrets_of, tls_of
from execloop.library.http.client import Answer, Client, Request
from execloop.library.http.errors import Refused
from execloop.library.http.placeholders import filled, filled_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from execloop.library.http.parameters import Parameters

__all__ = ["Session", "opened"]

_UNAUTHORIZED = 401


class Session:
    """`send` asks again with another token where one was refused."""

    def __init__(self, parameters: Parameters, client: Client) -> None:
        self._parameters, self._client, self._auth = parameters, client, Auth(parameters)
        self._origins = _origins(parameters)

    async def send(
        self,
        method: str,
        url: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        expected: tuple[int, ...] = (),
    ) -> Answer:
        """Send a request; `url` and `body` may have placeholders. Raises as `Client.send` does."""
        data = None if body is None else json.dumps(filled(body, self._parameters.values)).encode()
        known = {} if data is None else {"Content-Type": content_type}
        place = URL(filled_url(url, self._parameters.values))
        shown = URL(url.partition("?")[0]).path if url != str(place) else None
        for again in (self._auth.renewable, False):
            try:
                given = {**known, **(headers or {}), **await self._ours(place)}
                return await self._client.send(Request(method, place, given, data, shown), expected=expected)
            except Refused as error:
                if error.status != _UNAUTHORIZED or not again:
                    raise
                self._auth.forget()
        raise AssertionError("the second attempt returns or raises")

    async def _ours(self, url: URL) -> Mapping[str, str]:
        """Headers and credentials go to the servers that the parameters name, and to no other."""
        if url.origin() not in self._origins:
            return {}
        headers: dict[str, str | None] = filled(self._parameters.headers, self._parameters.values)
        own = {name: value for name, value in headers.items() if value is not None}
        return {**own, **await self._auth.headers(self._client)}


def _origins(parameters: Parameters) -> frozenset[URL]:
    search = parameters.search
    changes = (parameters.create, parameters.update, parameters.delete)
    urls = [parameters.url, *(change.url for change in changes if change is not None)]
    urls += [] if search is None else [search.url, search.item_url]
    return frozenset(URL(url).origin() for url in urls if url is not None)


@asynccontextmanager
async def opened(parameters: Parameters, allowed: tuple[str, ...] | None) -> AsyncIterator[Session]:
    """Make a session, and close its connections at the end."""
    auth = Auth(parameters)
    seconds = parameters.timeout.total_seconds()
    tls = tls_of(parameters)
    async with Client(Addresses(allowed), tls, seconds, secrets_of(parameters), auth.identity) as client:
        yield Session(parameters, client)
