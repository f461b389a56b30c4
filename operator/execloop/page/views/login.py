"""Signing in with a bearer token, and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from execloop.kube import ApiError
from execloop.page.access.authenticator import cookie_name
from execloop.page.access.origin import on_loopback, path_here
from execloop.page.access.session import LIFETIME, MOST_COOKIE_BYTES
from execloop.page.views.authentication import Handler, document, failed

if TYPE_CHECKING:
    from execloop.page.access.identity import Person
    from execloop.page.site import Site

__all__ = ["form", "sign_in", "sign_out"]

_NOT_ACCEPTED = "The API server does not accept this token. It may have expired, or be for another audience."
_TOO_LONG = (
    "This token is too long for a cookie. Put a proxy in front of the page that sends it in the Authorization header."
)


def form(site: Site) -> Handler:
    """Return the handler of the form; a person who is signed in continues to the list."""

    async def handle(request: web.Request) -> web.StreamResponse:
        wanted = path_here(request.query.get("next", "/"))
        try:
            known = await site.who(request) is not None
        except ApiError as error:
            return failed(site, None, error, who=True)
        if known:
            raise web.HTTPSeeOther(wanted)
        return _form(site, wanted)

    return handle


def sign_in(site: Site) -> Handler:
    """Return the handler that takes a token and sets the cookie."""

    async def handle(request: web.Request) -> web.StreamResponse:
        data = await request.post()
        token, wanted = str(data.get("token", "")).strip(), path_here(str(data.get("next", "/")))
        try:
            person = await site.identities.who(token)
        except ApiError as error:
            return failed(site, None, error, who=True)
        if person is None:
            site.metrics.refused("token")
            return _form(site, wanted, _NOT_ACCEPTED)
        value = site.sessions.cookie(token)
        if len(value) > MOST_COOKIE_BYTES:
            return _form(site, wanted, _TOO_LONG)
        site.metrics.signed_in()
        answer = web.Response(status=303, headers={"Location": wanted})
        answer.headers["Set-Cookie"] = _cookie(request, value, LIFETIME)
        return answer

    return handle


async def sign_out(_site: Site, request: web.Request, _person: Person) -> web.StreamResponse:
    """Take the cookie away."""
    return web.Response(status=303, headers={"Location": "/login", "Set-Cookie": _cookie(request, "", 0)})


def _form(site: Site, wanted: str, problem: str = "") -> web.Response:
    return document(site.render("login.html", None, next=wanted, refusal=problem), 401 if problem else 200)


def _cookie(request: web.Request, value: str, seconds: int) -> str:
    host = request.headers.get("Host", "")
    secure = "" if on_loopback(host) else "; Secure"
    return f"{cookie_name(host)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
