"""Server-sent events: a part of a page, sent again when what it shows has changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from aiohttp import web

from execloop.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from execloop.page.access.identity import Person
    from execloop.page.site import Served

__all__ = ["Draw", "Drawing", "Feed", "Viewers", "follow"]

_GAP = 0.3
"""The least seconds between two drawings of one stream."""
_BEAT = 5.0
"""The most seconds in which nothing is sent: the browser takes a longer silence for a cut connection."""
_SHARE = 10
"""All streams together draw for at most one part in so many of the operator's time."""
_PROXIED = 300.0
"""Seconds after which a stream that came through a proxy ends: the next one shows whether the proxy still vouches."""
_SLOWEST = 30.0
"""Seconds for a browser to take one message."""
_MOST = 200
_HEADERS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


class Viewers:
    """How many streams are open."""

    def __init__(self) -> None:
        self.open = 0


@dataclass(frozen=True, slots=True)
class Drawing:
    """A part of a page: `key` is equal where it looks the same, `html` draws it."""

    key: object
    html: Callable[[], Awaitable[str]]
    last: bool = False
    """Whether nothing can change any more: the stream ends."""


class Feed(Protocol):
    """What wakes a stream."""

    @property
    def version(self) -> Any: ...

    async def newer(self, version: Any, /) -> None:
        """Return when something is newer than this version."""


Draw: TypeAlias = "Callable[[Person], Awaitable[Drawing]]"


async def follow(site: Served, request: web.Request, draw: Draw, feed: Feed | None = None) -> web.StreamResponse:
    """Send a part now and after each change, for as long as the person has the right; then end.

    `feed` says when something may have changed; by default the site does.
    """
    if site.viewers.open >= _MOST:
        site.metrics.refused("streams")
        return web.Response(status=503, headers={"Retry-After": "10"}, text="too many pages are open\n")
    response = web.StreamResponse(headers=_HEADERS)
    site.viewers.open += 1
    try:
        await response.prepare(request)
        await _send(site, request, response, draw, feed or site)
    except (TimeoutError, ConnectionError):
        pass  # the browser has gone, or takes too long: it connects again
    finally:
        site.viewers.open -= 1
    return response


async def _send(site: Served, request: web.Request, response: web.StreamResponse, draw: Draw, feed: Feed) -> None:
    shown: object = None
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        last, version = False, feed.version
        try:
            person = await site.who(request)
            if person is None or (person.impersonated and loop.time() > began + _PROXIED):
                return
            drawing = await draw(person)
            last = drawing.last
            if drawing.key == shown:
                text = _event("beat", "")
            else:
                text, shown = _event("", await drawing.html()), drawing.key
        except ApiError as error:
            if error.unauthorized or error.forbidden or error.not_found:
                return  # the browser asks again, and is answered with the reason
            text = _event("trouble", str(error))
        async with asyncio.timeout(_SLOWEST):
            await response.write(text)
        if last:
            return
        await asyncio.sleep(max(_GAP, site.presentation.seconds * _SHARE * site.viewers.open))
        await _newer(feed, version)


async def _newer(feed: Feed, version: Any) -> None:
    try:
        async with asyncio.timeout(_BEAT):
            await feed.newer(version)
    except TimeoutError:
        pass


def _event(name: str, data: str) -> bytes:
    lines = [f"event: {name}"] if name else []
    lines += [f"data: {line}" for line in data.splitlines() or [""]]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")
