"""Probes: /healthz says that the watch and the queue live, /readyz that the Plans were listed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from execloop.controller.queue import WorkQueue
    from execloop.controller.track import Key

__all__ = ["Health"]

_STUCK = 60.0


class Health:
    def __init__(self, queue: WorkQueue[Key], plural: str) -> None:
        self._queue = queue
        self._watcher = f"watcher for {plural}."
        self.ready = asyncio.Event()

    def problem(self) -> str:
        """Why this process should be started again; empty when it should not."""
        if not self.ready.is_set():
            return ""  # still waiting for the API server: a restart would not help
        if not any(task.get_name().startswith(self._watcher) for task in asyncio.all_tasks()):
            return "the watch of Plans has ended"
        if self._queue.overdue() > _STUCK:
            return "the queue does not move"
        return ""

    @asynccontextmanager
    async def served(self, port: int) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, port=port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        problem = self.problem()
        return web.Response(text=problem or "ok", status=503 if problem else 200)

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready = self.ready.is_set()
        return web.Response(text="ok" if ready else "Plans are not listed yet", status=200 if ready else 503)
