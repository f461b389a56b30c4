"""A proxy before an API server that fails on demand: what an operator behind a bad network sees.

Plain HTTP towards the operator, on loopback; TLS and the caller's own token towards the API server. Tests and
`make recovery` start it, add and remove faults while it runs, and read what was asked.
"""

import asyncio
import json
import ssl
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web
from yarl import URL

from tests.cluster import Cluster

_HOP = frozenset({"connection", "keep-alive", "host", "transfer-encoding", "content-length", "te", "upgrade"})
_PLANS = "/apis/execloop.dev/v1alpha1/"


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str] = field(hash=False)
    at: float
    """On the monotonic clock."""
    token: str = field(default="", repr=False)

    @property
    def watches(self) -> bool:
        return self.query.get("watch") in ("1", "true", "True")


Matches: TypeAlias = Callable[[Asked], bool]


def lists_plans(asked: Asked) -> bool:
    plans = asked.path.startswith(_PLANS) and asked.path.endswith("/plans")
    return plans and asked.method == "GET" and not asked.watches


def watches_plans(asked: Asked) -> bool:
    return asked.path.startswith(_PLANS) and asked.watches


def writes_status(asked: Asked) -> bool:
    return asked.method == "PUT" and asked.path.endswith("/status")


def everything(_: Asked) -> bool:
    return True


class Exchange:
    """One request, and the ways in which it can be answered."""

    def __init__(self, proxy: "Proxy", asked: Asked, request: web.Request, body: bytes) -> None:
        self.asked, self.request = asked, request
        self._proxy, self._body = proxy, body

    async def pass_on(self, limit: int | None = None) -> web.StreamResponse:
        """What the API server answers; with a limit the connection is cut after so many bytes of its body."""
        proxy, request = self._proxy, self.request
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with proxy.upstream(request.method, request.raw_path, headers, self._body) as upstream:
            answer = web.StreamResponse(status=upstream.status, reason=upstream.reason)
            for name, value in upstream.headers.items():
                if name.lower() not in _HOP:
                    answer.headers.add(name, value)
            await answer.prepare(request)
            sent = 0
            async for chunk in upstream.content.iter_any():
                if self.asked in proxy.muted:
                    continue
                part = chunk if limit is None else chunk[: limit - sent]
                await answer.write(part)
                sent += len(part)
                if limit is not None and sent >= limit:
                    self.cut()
                    break
            with suppress(ConnectionError):
                await answer.write_eof()
            return answer

    def cut(self) -> None:
        """End the connection with a reset, in the middle of whatever it was doing."""
        if self.request.transport is not None:
            self.request.transport.abort()


Fault: TypeAlias = Callable[[Exchange], Awaitable[web.StreamResponse]]


def answer(status: int, body: str | dict[str, object] = "", kind: str = "", **headers: str) -> Fault:
    """Answer so, without asking the API server."""
    text = json.dumps(body) if isinstance(body, dict) else body
    content_type = kind or ("application/json" if isinstance(body, dict) else "text/html")

    async def fault(_: Exchange) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=content_type, headers=headers)

    return fault


def failure(status: int, reason: str, message: str = "made by a test", **headers: str) -> Fault:
    """Answer with a Status object, as an API server does."""
    return answer(status, _failure(status, reason, message), **headers)


def watch_error(status: int, reason: str) -> Fault:
    """Answer a watch with 200 and an ERROR event, then end it."""
    event: dict[str, object] = {"type": "ERROR", "object": _failure(status, reason, "made by a test")}
    return answer(200, json.dumps(event) + "\n", "application/json")


def _failure(status: int, reason: str, message: str) -> dict[str, object]:
    fixed: dict[str, object] = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "metadata": {}}
    return {**fixed, "code": status, "reason": reason, "message": message}


def cut_after(size: int) -> Fault:
    async def fault(exchange: Exchange) -> web.StreamResponse:
        return await exchange.pass_on(size)

    return fault


def reset() -> Fault:
    """Break the connection; the API server hears nothing."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        exchange.cut()
        return web.Response()

    return fault


def lose_answer() -> Fault:
    """Let the API server do it, and break the connection before the answer."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        return await exchange.pass_on(0)

    return fault


def late(seconds: float) -> Fault:
    async def fault(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await exchange.pass_on()

    return fault


def shaky(seconds: float, share: Callable[[], bool]) -> Fault:
    """Late, and reset whenever `share()` says so: half of these after the API server did what was asked."""
    resets = 0

    async def fault(exchange: Exchange) -> web.StreamResponse:
        nonlocal resets
        await asyncio.sleep(seconds)
        if not share():
            return await exchange.pass_on()
        resets += 1
        return await (reset() if resets % 2 else lose_answer())(exchange)

    return fault


@dataclass(slots=True)
class _Rule:
    matches: Matches
    fault: Fault | None = None
    left: int | None = None
    """How many more times; None for ever."""
    hits: int = 0


class Proxy:
    """Runs on an event loop in a thread of its own; its methods are for the test's thread."""

    def __init__(self, cluster: Cluster, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.asked: list[Asked] = []
        self.muted: list[Asked] = []
        self._cluster = cluster
        self._rules: list[_Rule] = []
        self._open: dict[Exchange, None] = {}
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    @classmethod
    @contextmanager
    def before(cls, cluster: Cluster, folder: Path) -> Iterator["Proxy"]:
        """`folder` gets a kubeconfig that leads through the proxy."""
        proxy = cls(cluster, folder / "proxied-kubeconfig")
        proxy._thread.start()
        try:
            port = asyncio.run_coroutine_threadsafe(proxy._start(), proxy._loop).result(30)
            proxy._write_kubeconfig(port)
            yield proxy
        finally:
            asyncio.run_coroutine_threadsafe(proxy._stop(), proxy._loop).result(30)
            proxy._loop.call_soon_threadsafe(proxy._loop.stop)
            proxy._thread.join(30)
            proxy._loop.close()

    @contextmanager
    def failing(self, matches: Matches, fault: Fault, times: int | None = None) -> Iterator["_Rule"]:
        """The newest rule that matches decides; `hits` of what is yielded says how often."""
        rule = _Rule(matches, fault, times)
        self._rules.insert(0, rule)
        try:
            yield rule
        finally:
            self._rules.remove(rule)

    def silence(self, matches: Matches) -> int:
        """What is under way stays open and says nothing more, for ever; how many. Later requests are answered."""
        found = [exchange.asked for exchange in tuple(self._open) if matches(exchange.asked)]
        self.muted += found
        return len(found)

    def cut(self, matches: Matches = everything) -> int:
        """Break the exchanges that are under way; how many."""
        found = [exchange for exchange in tuple(self._open) if matches(exchange.asked)]
        for exchange in found:
            self._loop.call_soon_threadsafe(exchange.cut)
        return len(found)

    def under_way(self, matches: Matches) -> int:
        return sum(matches(exchange.asked) for exchange in tuple(self._open))

    def count(self, matches: Matches, since: float = 0.0) -> int:
        return sum(matches(asked) for asked in tuple(self.asked) if asked.at >= since)

    def summary(self) -> Counter[str]:
        return Counter(f"{asked.method} {'watch ' if asked.watches else ''}{asked.path}" for asked in tuple(self.asked))

    def upstream(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        assert self._session is not None
        url = URL(self._cluster.server + path, encoded=True)
        return self._session.request(method, url, headers=headers, data=body or None, allow_redirects=False)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        asked = Asked(request.method, request.path, dict(request.query), time.monotonic(), token)
        self.asked.append(asked)
        exchange = Exchange(self, asked, request, await request.read())
        self._open[exchange] = None
        try:
            return await (self._fault(asked) or Exchange.pass_on)(exchange)
        except (aiohttp.ClientError, ConnectionError):  # the API server is away, or the operator left
            exchange.cut()
            return web.Response()
        finally:
            del self._open[exchange]

    def _fault(self, asked: Asked) -> Fault | None:
        for rule in tuple(self._rules):
            if rule.left != 0 and rule.matches(asked):
                rule.hits += 1
                if rule.left is not None:
                    rule.left -= 1
                return rule.fault
        return None

    async def _start(self) -> int:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        connector = aiohttp.TCPConnector(limit=0, ssl=_trust(self._cluster))
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port: int = self._runner.addresses[0][1]
        return port

    async def _stop(self) -> None:
        for exchange in tuple(self._open):
            exchange.cut()
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()
            await asyncio.sleep(0.1)  # the transports of TLS end after that

    def _write_kubeconfig(self, port: int) -> None:
        config = _config(self._cluster)
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(json.dumps(config))


def _config(cluster: Cluster) -> dict[str, Any]:
    view = cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json")
    config: dict[str, Any] = json.loads(view)
    return config


def _trust(cluster: Cluster) -> ssl.SSLContext:
    authority = _config(cluster)["clusters"][0]["cluster"]["certificate-authority-data"]
    return ssl.create_default_context(cadata=b64decode(authority).decode())
