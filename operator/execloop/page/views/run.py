"""The page of a run on this machine: one view, which a stream draws again as things happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop.page.runs.words import explain
from execloop.page.views.authentication import document
from execloop.page.views.live import Drawing, follow

if TYPE_CHECKING:
    from aiohttp import web

    from execloop.page.access.identity import Person
    from execloop.page.runs.record import Record
    from execloop.page.site import Served
    from execloop.page.views.authentication import Handler

__all__ = ["live_run", "run"]


def run(site: Served, record: Record) -> Handler:
    """Return the handler of the whole page."""

    async def handle(_request: web.Request) -> web.StreamResponse:
        return document(site.render("run.html", None, **_context(record)))

    return handle


def live_run(site: Served, record: Record) -> Handler:
    """Return the handler of the stream, which ends with the run."""

    async def draw(_person: Person) -> Drawing:
        ended, version = record.ended, record.version

        async def html() -> str:
            return site.render("run_body.html", None, **_context(record))

        return Drawing(version, html, last=ended)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await follow(site, request, draw)

    return handle


def _context(record: Record) -> dict[str, Any]:
    picture = record.picture()
    state, explanation = explain(record.name, picture)
    return {"name": record.name, "run": picture, "state": state, "explanation": explanation}
