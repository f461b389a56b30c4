"""A REST API in memory, on a real port of this machine, that misbehaves when it is asked to."""

import asyncio
import gzip
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web

Fault: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

BOMB = gzip.compress(b" " * 50_000_000)


@dataclass
class Api:
    """`objects` by path; `faults` answer the next requests, one each; `asked` has all of them."""

    objects: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    faults: list[Fault | None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path_qs}")
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.read())
        fault = self.faults.pop(0) if self.faults else None
        return await (fault(request) if fault is not None else self.answer(request))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path, found = request.path, self.objects.get(request.path)
        match request.method:
            case "GET":
                return self._found(path) if found is not None else problem(404)
            case "DELETE":
                if found is None:
                    return problem(404)
                del self.objects[path]
                return web.Response(status=204)
            case "PUT" if found is not None and request.headers.get("If-None-Match") == "*":
                return problem(412)
        if found is not None and request.headers.get("If-Match", self._etag(path)) != self._etag(path):
            return problem(412)
        body = json.loads(self.bodies[-1])
        if request.method == "POST":
            path = f"{path}/{len(self.objects)}"
            body = {"id": path.rpartition("/")[2], **body}
        self.objects[path] = {**(found or {}), **body} if request.method == "PATCH" else body
        self.versions[path] = self.versions.get(path, 0) + 1
        return self._found(path, 201)

    def _found(self, path: str, status: int = 200) -> web.Response:
        return web.json_response(self.objects[path], status=status, headers={"ETag": self._etag(path)})

    def _etag(self, path: str) -> str:
        return f'"{self.versions.get(path, 0)}"'


def problem(status: int, **body: Any) -> web.Response:
    return web.json_response(body, status=status)


def answers(status: int = 200, /, body: Any = None, **headers: str) -> Fault:
    async def handle(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=json.dumps(body).encode(), headers=named)

    return handle


def sends(content: bytes, **headers: str) -> Fault:
    async def handle(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=content, headers=named)

    return handle


async def resets(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stops_early(request: web.Request) -> web.StreamResponse:
    """It says that it sends more than it does."""
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{}")
    request.transport.close()
    return web.Response()


async def sleeps(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.json_response({})


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Api]:
    """In a thread of its own, so that blocking code can ask it."""
    api, ready, stops = Api(), threading.Event(), []

    async def live() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", api.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        api.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    assert ready.wait(10)
    try:
        yield api
    finally:
        stops[0]()
        thread.join()
