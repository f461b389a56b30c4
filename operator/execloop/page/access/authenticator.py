"""How a request says who asks: by the headers of a trusted proxy, by a bearer token, or by the cookie of the form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.page.access.origin import on_loopback

if TYPE_CHECKING:
    from aiohttp import web

    from execloop.page.access.identity import Identities, Person
    from execloop.page.access.proxy import Proxy
    from execloop.page.access.session import Sessions

__all__ = ["Authenticator", "cookie_name"]

_BEARER = "bearer "


def cookie_name(host: str) -> str:
    """Return the cookie's name: `__Host-` ties it to this host and to https, which a port-forward does not have."""
    return "execloop-session" if on_loopback(host) else "__Host-execloop-session"


class Authenticator:
    """Without a proxy its headers are not read."""

    def __init__(self, identities: Identities, sessions: Sessions, proxy: Proxy | None = None) -> None:
        self._identities, self._sessions, self._proxy = identities, sessions, proxy

    async def who(self, request: web.Request) -> Person | None:
        """Return who asks, None for a stranger. Raises ApiError, and Refused for headers that do not count."""
        if self._proxy is not None and (person := self._proxy.person(request.headers)) is not None:
            return person
        token = self._token(request)
        return None if token is None else await self._identities.who(token)

    def _token(self, request: web.Request) -> str | None:
        header = request.headers.get("Authorization", "")
        if header[: len(_BEARER)].lower() == _BEARER:
            return header[len(_BEARER) :].strip()
        cookie = request.cookies.get(cookie_name(request.headers.get("Host", "")))
        return None if cookie is None else self._sessions.token(cookie)
