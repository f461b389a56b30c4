"""Listen at every address of a host, at one port: `localhost` is two, IPv4 and IPv6, and so is every address."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING, Final

from aiohttp import web

from execloop.kube import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop.page.settings import PageSettings

__all__ = ["listen"]

_TRIES: Final = 10
_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What is said of an IPv6 address where the machine has none."""


async def listen(runner: web.AppRunner, settings: PageSettings) -> str:
    """Listen, and return the first address as browsers take it. Raises ConfigurationError."""
    host, port = settings.host, settings.port
    try:
        hosts = await _addresses(host)
        for left in reversed(range(_TRIES)):
            if await _at_one_port(runner, hosts, port, again=port == 0 and left > 0):
                break
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise ConfigurationError(f"--page {host or ''}:{port}: {reason}") from None
    place, taken = runner.addresses[0][:2]
    shown = "localhost" if host is None else f"[{place}]" if ":" in place else place
    return f"http://{shown}:{taken}/"


async def _addresses(host: str | None) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _at_one_port(runner: web.AppRunner, hosts: Sequence[str], port: int, *, again: bool) -> bool:
    """Listen at all of these; return False when the free port of one is taken at another, to be asked `again`."""
    begun: list[web.TCPSite] = []
    refusal: OSError | None = None
    for host in hosts:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            refusal = error
            if error.errno in _ABSENT:
                continue
            for one in begun:
                await one.stop()
            if not again or error.errno != errno.EADDRINUSE:
                raise
            return False
        begun.append(site)
        port = runner.addresses[-1][1]
    if not begun and refusal is not None:
        raise refusal
    return True
