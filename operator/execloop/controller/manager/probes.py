"""Serve the HTTP endpoints of the operator: two probes, and metrics.

`process` starts them first, and sets what they answer at each stage.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web
from prometheus_client.exposition import choose_encoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prometheus_client import CollectorRegistry

__all__ = ["Check", "Probes", "serve"]

Check: TypeAlias = "Callable[[], str]"
"""What is wrong; empty when nothing is."""

_FAREWELL_SECONDS = 1.0


class Probes:
    """Replaced at each stage of the process's life."""

    def __init__(self) -> None:
        self.unready: Check = lambda: "starting"
        """Return why the operator is not ready, empty when it is."""
        self.unwell: Check = lambda: ""
        """Return why a restart would help, empty when it would not. Trouble elsewhere is not a reason."""


@asynccontextmanager
async def serve(probes: Probes, registry: CollectorRegistry, port: int, host: str | None = None) -> AsyncIterator[int]:
    """Gives the port. Raises OSError when it cannot be had."""

    async def healthz(_: web.Request) -> web.Response:
        return _verdict(probes.unwell())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(probes.unready())

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_FAREWELL_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _verdict(problem: str) -> web.Response:
    return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)
