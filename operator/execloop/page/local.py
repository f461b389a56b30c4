"""Serve the page of a run on this machine, in a thread of its own: a plan that blocks does not stop it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from execloop.kube import ConfigurationError
from execloop.page.access.identity import Person
from execloop.page.access.origin import on_loopback
from execloop.page.listening import listen
from execloop.page.metrics import PageMetrics
from execloop.page.presentation import Presentation
from execloop.page.views.authentication import document
from execloop.page.views.guard import add_headers, assets, guarded
from execloop.page.views.live import Viewers
from execloop.page.views.run import live_run, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.typedefs import Handler

    from execloop.page.runs.record import Record
    from execloop.page.settings import PageSettings

__all__ = ["RunSite", "application", "shown"]

_LAST_LOOK_SECONDS: Final = 1.5
"""For open pages to take the end of the run before the server goes."""
_FAREWELL_SECONDS = 0.1
_ELSEWHERE = "This page is for browsers on the same machine. Open it at its own address, which the command prints."


class RunSite:
    """What the views stand on. It knows one person: the user of this machine."""

    def __init__(self, record: Record, loop: asyncio.AbstractEventLoop) -> None:
        self.presentation, self.viewers, self.metrics = Presentation(), Viewers(), PageMetrics()
        self._record, self._loop = record, loop
        self._changed = asyncio.Event()
        self._due = False
        record.changed = self._wake

    @property
    def version(self) -> int:
        return self._record.version

    async def newer(self, version: int) -> None:
        while self.version <= version:
            await self._changed.wait()

    async def who(self, request: web.Request) -> Person | None:
        return Person("local") if on_loopback(request.headers.get("Host", "")) else None

    def render(self, template: str, person: Person | None = None, **context: Any) -> str:
        return self.presentation.render(template, person=person, **context)

    def _wake(self) -> None:
        """Wake the streams, from any thread; one call for all events until then."""
        if not self._due:
            self._due = True
            with suppress(RuntimeError):  # the page has ended before the run
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._due = False
        self._changed.set()
        self._changed = asyncio.Event()


@contextmanager
def shown(record: Record, settings: PageSettings) -> Iterator[str]:
    """Serve the page until the block ends, and give its address. Raises ConfigurationError when that cannot be had."""
    ready: Future[tuple[str, asyncio.Event, asyncio.AbstractEventLoop]] = Future()
    thread = threading.Thread(target=asyncio.run, args=(_serve(record, settings, ready),), name="page", daemon=True)
    thread.start()
    address, stop, loop = ready.result()
    try:
        yield address
    finally:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(record: Record, settings: PageSettings, ready: Future[Any]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    site = RunSite(record, loop)
    runner = web.AppRunner(application(site, record), access_log=None, shutdown_timeout=_FAREWELL_SECONDS)
    await runner.setup()
    try:
        try:
            ready.set_result((await listen(runner, settings), stop, loop))
        except ConfigurationError as error:
            ready.set_exception(error)
            return
        await stop.wait()
        await _last_look(site)
    finally:
        await runner.cleanup()


async def _last_look(site: RunSite) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_LOOK_SECONDS):
            while site.viewers.open:  # noqa: ASYNC110 - once, at the end
                await asyncio.sleep(0.02)


def application(site: RunSite, record: Record) -> web.Application:
    """Return the routes, with the guards around all of them."""
    app = web.Application(middlewares=[guarded(site), _from_this_machine(site)])
    app.on_response_prepare.append(add_headers)
    app.add_routes(
        [
            web.get("/static/{name}", assets(site)),
            web.get("/", run(site, record)),
            web.get("/live", live_run(site, record)),
        ]
    )
    return app


def _from_this_machine(site: RunSite) -> Any:
    """Refuse a Host that does not name this machine: a foreign page may resolve its own name to it (DNS rebinding)."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if await site.who(request) is None:
            return document(site.render("message.html", None, status=403, message=_ELSEWHERE), 403)
        return await handler(request)

    return middleware
