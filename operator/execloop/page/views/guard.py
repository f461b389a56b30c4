"""What surrounds every answer: headers for browsers, the check where a POST comes from, and errors without traces."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web

from execloop.page.access.origin import from_here
from execloop.page.access.proxy import Refused
from execloop.page.views.authentication import document

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from execloop.page.site import Served
from execloop.page.views.authentication import Handler

__all__ = ["HEADERS", "add_headers", "assets", "guarded"]

logger = logging.getLogger(__name__)

_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
HEADERS: Final = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def guarded(site: Served) -> Middleware:
    """Return the middleware around every handler."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if request.method == "POST" and not from_here(request.headers):
                site.metrics.refused("origin")
                return _plain(site, 403, "This request does not come from the page. Open the page and try again.")
            return await handler(request)
        except web.HTTPException as answer:
            if answer.status < 400:  # noqa: PLR2004 - a redirection
                raise
            return _plain(site, answer.status, _REASONS.get(answer.status, answer.reason))
        except Refused as refused:
            site.metrics.refused("proxy")
            return _plain(site, 403, str(refused))
        except Exception:
            logger.exception("the page: an error of the operator")
            return _plain(site, 500, "This is an error of execloop. The operator's log has the details.")

    return middleware


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that keep a browser from doing anything but show this page; streams have them too."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


_REASONS: Final = {
    404: "There is no such page.",
    405: "The page does not take this kind of request here.",
    413: "The request is too long.",
}


def assets(site: Served) -> Handler:
    """Return the handler of the files that browsers load beside the pages; anyone may."""

    async def handle(request: web.Request) -> web.StreamResponse:
        found = site.presentation.assets.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        current = request.query.get("v") == found.digest
        caching = {"Cache-Control": _FOR_EVER} if current else {}
        return web.Response(body=found.content, content_type=found.content_type, headers=caching)

    return handle


def _plain(site: Served, status: int, message: str) -> web.Response:
    return document(site.render("message.html", None, status=status, message=message), status)
