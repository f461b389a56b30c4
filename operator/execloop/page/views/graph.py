"""How Plans depend on each other: of all namespaces that a person sees, or of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop.page.plans.graph import Graph, draw
from execloop.page.views.authentication import document
from execloop.page.views.live import Drawing, follow

if TYPE_CHECKING:
    from aiohttp import web

    from execloop.page.access.identity import Person
    from execloop.page.site import Site

__all__ = ["around", "graph", "live_graph"]


async def graph(site: Site, request: web.Request, person: Person) -> web.StreamResponse:
    """Return the whole page."""
    namespace = request.query.get("namespace", "")
    drawn, namespaces = await _drawn(site, person, namespace)
    return document(site.render("graph.html", person, graph=drawn, namespaces=namespaces, namespace=namespace))


async def live_graph(site: Site, request: web.Request, _person: Person) -> web.StreamResponse:
    """Stream the picture whenever it changes."""
    namespace = request.query.get("namespace", "")

    async def draw_again(person: Person) -> Drawing:
        drawn, _ = await _drawn(site, person, namespace)

        async def html() -> str:
            return site.render("picture.html", person, graph=drawn)

        return Drawing((drawn, site.problem), html)

    return await follow(site, request, draw_again)


async def around(site: Site, person: Person, key: tuple[str, str]) -> Graph:
    """Return the Plans that one Plan needs, and those that need it, as far as the person may list them."""
    visible = await site.rights.visible(person, site.store.namespaces)
    return draw((one for one in site.store.ordered(by_name=True) if one.namespace in visible or one.key == key), key)


async def _drawn(site: Site, person: Person, namespace: str) -> tuple[Graph, list[str]]:
    visible = await site.rights.visible(person, site.store.namespaces)
    seen = [one for one in site.store.ordered(by_name=True) if one.namespace in visible]
    chosen = [one for one in seen if not namespace or one.namespace == namespace]
    return draw(chosen), sorted({one.namespace for one in seen})
