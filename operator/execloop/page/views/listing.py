"""The list of Plans: filters, counts, pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.page.plans.selection import Selection
from execloop.page.views.authentication import document
from execloop.page.views.live import Drawing, follow

if TYPE_CHECKING:
    from aiohttp import web

    from execloop.page.access.identity import Person
    from execloop.page.plans.selection import Found
    from execloop.page.site import Site

__all__ = ["live_list", "plans"]


async def plans(site: Site, request: web.Request, person: Person) -> web.StreamResponse:
    """Return the whole page."""
    selection = Selection.of(request.query)
    found = await _find(site, person, selection)
    return document(site.render("list.html", person, selection=selection, found=found))


async def live_list(site: Site, request: web.Request, _person: Person) -> web.StreamResponse:
    """Stream the list's rows whenever they change."""
    selection = Selection.of(request.query)

    async def draw(person: Person) -> Drawing:
        found = await _find(site, person, selection)

        async def html() -> str:
            return site.render("rows.html", person, selection=selection, found=found)

        return Drawing((found, site.problem), html)

    return await follow(site, request, draw)


async def _find(site: Site, person: Person, selection: Selection) -> Found:
    visible = await site.rights.visible(person, site.store.namespaces)
    return selection.find(site.store.ordered(by_name=selection.by_name), visible)
