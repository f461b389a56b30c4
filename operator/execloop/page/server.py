"""The page's server: routes, headers, and the watch that keeps its summaries."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from execloop.page.access.authenticator import Authenticator
from execloop.page.access.identity import Identities
from execloop.page.access.proxy import Proxy
from execloop.page.access.rights import Rights
from execloop.page.access.session import Sessions, read_key
from execloop.page.listening import listen
from execloop.page.metrics import PageMetrics
from execloop.page.plans.store import Store, watch
from execloop.page.presentation import Presentation
from execloop.page.runs.known import KnownRuns
from execloop.page.runs.recent import Recent
from execloop.page.site import Site
from execloop.page.views import actions, graph, listing, login, plan
from execloop.page.views.authentication import open_to_people
from execloop.page.views.guard import add_headers, assets, guarded
from execloop.page.views.live import Viewers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from prometheus_client import CollectorRegistry

    from execloop.kube import Connection
    from execloop.page.runs.known import Elsewhere
    from execloop.page.settings import PageSettings

__all__ = ["Page", "application", "build", "serve"]

logger = logging.getLogger(__name__)

_FAREWELL_SECONDS = 0.5
_MOST_BODY_BYTES = 64 * 1024
_PLAN = "/plans/{namespace}/{name}"
_TAB = f"{{tab:{'|'.join(plan.TABS)}}}"


class Page:
    """The page of an operator's process: it follows the runs of that process, and is served beside it."""

    def __init__(self, namespaces: Sequence[str], settings: PageSettings, registry: CollectorRegistry) -> None:
        self.audience = Recent(time.monotonic, lambda: datetime.now(UTC))
        self._namespaces, self._settings, self._registry = namespaces, settings, registry

    def serve(self, connection: Connection, elsewhere: Elsewhere) -> AbstractAsyncContextManager[int]:
        """Serve it, as `serve` does; `elsewhere` says which process reconciles a Plan."""
        runs = KnownRuns(self.audience, elsewhere, self._settings.port)
        return serve(connection, self._namespaces, self._settings, self._registry, runs)


@asynccontextmanager
async def serve(
    connection: Connection,
    namespaces: Sequence[str],
    settings: PageSettings,
    registry: CollectorRegistry | None = None,
    runs: KnownRuns | None = None,
) -> AsyncIterator[int]:
    """Serve the page, and give its port. Raises ConfigurationError when that cannot be had, or the key not read."""
    site = build(connection, namespaces, settings, PageMetrics(registry), runs)
    watching = [asyncio.create_task(one.run(), name="the watch of the page") for one in site.watches]
    runner = web.AppRunner(application(site), access_log=None, shutdown_timeout=_FAREWELL_SECONDS)
    await runner.setup()
    try:
        logger.info("the page: %s", await listen(runner, settings))
        yield runner.addresses[0][1]
    finally:
        for one in watching:
            one.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await runner.cleanup()


def build(
    connection: Connection,
    namespaces: Sequence[str],
    settings: PageSettings,
    metrics: PageMetrics | None = None,
    runs: KnownRuns | None = None,
) -> Site:
    """Return all that the views stand on. Raises ConfigurationError when a key or a secret cannot be read."""
    store = Store()
    identities = Identities(connection, settings.audience, time.monotonic)
    sessions = Sessions(read_key(settings.key), time.time)
    secret = settings.impersonate
    proxy = None if secret is None else Proxy.of(secret, settings.impersonate_prefix, time.monotonic)
    viewers, metrics = Viewers(), metrics or PageMetrics()
    metrics.observe_streams(lambda: viewers.open)
    return Site(
        settings=settings,
        connection=connection,
        store=store,
        watches=watch(connection, namespaces, store),
        identities=identities,
        authenticator=Authenticator(identities, sessions, proxy),
        rights=Rights(connection, time.monotonic),
        sessions=sessions,
        presentation=Presentation(),
        viewers=viewers,
        runs=runs or KnownRuns.none(),
        metrics=metrics,
        monotonic=time.monotonic,
    )


def application(site: Site) -> web.Application:
    """Return the routes, with the guards around all of them."""
    app = web.Application(middlewares=[guarded(site)], client_max_size=_MOST_BODY_BYTES)
    app.on_response_prepare.append(add_headers)
    app.on_response_prepare.append(site.metrics.answered)
    people = partial(open_to_people, site)
    app.add_routes(
        [
            web.get("/static/{name}", assets(site)),
            web.get("/login", login.form(site)),
            web.post("/login", login.sign_in(site)),
            web.post("/logout", people(login.sign_out)),
            web.get("/", people(listing.plans)),
            web.get("/live", people(listing.live_list)),
            web.get("/graph", people(graph.graph)),
            web.get("/live/graph", people(graph.live_graph)),
            web.get(_PLAN, people(plan.plan)),
            web.get(f"{_PLAN}/{_TAB}", people(plan.plan)),
            web.get(f"/live{_PLAN}/{_TAB}", people(plan.live_plan)),
        ]
    )
    if site.settings.actions:
        app.router.add_post(f"{_PLAN}/{{action:{'|'.join(actions.ACTIONS)}}}", people(actions.act))
    return app
