"""The way into each view: who asks, what is refused, and how an error looks."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

from aiohttp import web

from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from execloop.page.access.identity import Person
    from execloop.page.site import Site

__all__ = ["Handler", "View", "document", "failed", "open_to_people", "wants_fragment"]

logger = logging.getLogger(__name__)

View: TypeAlias = "Callable[[Site, web.Request, Person], Awaitable[web.StreamResponse]]"
Handler: TypeAlias = "Callable[[web.Request], Awaitable[web.StreamResponse]]"

_ACCEPTS_STREAM = "text/event-stream"
_FOREIGN_FORM = "This form is too old, or not one of this page. Go back, load the page again, and repeat the action."


def wants_fragment(request: web.Request) -> bool:
    """Return whether a script asks, which cannot follow a redirection to the form."""
    return "HX-Request" in request.headers or _ACCEPTS_STREAM in request.headers.get("Accept", "")


def open_to_people(site: Site, view: View) -> Handler:
    """Return the handler of a view that only a person that the API server knows may open."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            person = await site.who(request)
        except ApiError as error:
            return failed(site, None, error, who=True)
        if person is None:
            site.metrics.refused("unknown")
            return _stranger(request)
        if request.method == "POST" and not await _made_here(site, request, person):
            site.metrics.refused("form")
            return document(site.render("message.html", person, status=403, message=_FOREIGN_FORM), 403)
        try:
            return await view(site, request, person)
        except ApiError as error:
            if error.forbidden:
                site.metrics.refused("rights")
            return _stranger(request) if error.unauthorized else failed(site, person, error)

    return handle


async def _made_here(site: Site, request: web.Request, person: Person) -> bool:
    return site.sessions.made_here(str((await request.post()).get("form_token", "")), person.name)


def document(html: str, status: int = 200) -> web.Response:
    """Return an HTML answer. A lone surrogate in a message must not cost the whole page."""
    body = html.encode("utf-8", "replace")
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8")


def failed(site: Site, person: Person | None, error: ApiError, *, who: bool = False) -> web.Response:
    """Return the page that says what the API server answered. `who`: to the question who asks."""
    if who:
        logger.warning("the page cannot find out who asks: %s", error)
    status = (
        error.status if HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR and not who else 503
    )
    context = {"error": error, "who": who, "status": status}
    return document(site.render("error.html", person, **context), status)


def _stranger(request: web.Request) -> web.StreamResponse:
    if request.method != "GET" or wants_fragment(request):
        return web.Response(status=401, text="sign in first\n")
    raise web.HTTPSeeOther(f"/login?next={quote(request.raw_path, safe='')}")
