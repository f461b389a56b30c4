"""Where the page listens: at one port of each address of a host."""

from __future__ import annotations

import errno
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from execloop.kube import ConfigurationError
from execloop.page.listening import listen
from execloop.page.settings import PageSettings
from tests.asynchronous import in_event_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


@asynccontextmanager
async def a_runner() -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


def resolves(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def found(_host: str | None) -> Sequence[str]:
        return addresses

    monkeypatch.setattr("execloop.page.listening._addresses", found)


@in_event_loop
async def test_two_addresses_of_a_host_have_one_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, "127.0.0.1", "127.0.0.2")
    async with a_runner() as runner:
        address = await listen(runner, PageSettings(0, "localhost"))
        (first, port), (second, other) = runner.addresses
    assert (first, second, port) == ("127.0.0.1", "127.0.0.2", other)
    assert address == f"http://127.0.0.1:{port}/"


@in_event_loop
async def test_a_free_port_that_is_taken_at_the_other_address_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, "127.0.0.1", "127.0.0.2")
    start, refused = web.TCPSite.start, list[int]()

    async def taken_twice(site: Any) -> None:
        if site._host == "127.0.0.2" and len(refused) < 2:
            refused.append(site._port)
            raise OSError(errno.EADDRINUSE, "taken")
        await start(site)

    monkeypatch.setattr(web.TCPSite, "start", taken_twice)
    async with a_runner() as runner:
        await listen(runner, PageSettings(0, "localhost"))
        ports = {port for _, port in runner.addresses}
    assert len(ports) == 1
    assert not ports & set(refused)


@in_event_loop
async def test_an_address_that_the_machine_does_not_have_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves(monkeypatch, "192.0.2.1", "127.0.0.1")
    async with a_runner() as runner:
        assert (await listen(runner, PageSettings(0, "localhost"))).startswith("http://127.0.0.1:")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
@in_event_loop
async def test_a_host_without_an_address_of_this_machine_is_said(host: str) -> None:
    async with a_runner() as runner:
        with pytest.raises(ConfigurationError, match=f"--page {host}:0: "):
            await listen(runner, PageSettings(0, host))


@in_event_loop
async def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with a_runner() as runner:
            with pytest.raises(ConfigurationError, match=f"--page 127.0.0.1:{port}: Address already in use"):
                await listen(runner, PageSettings(port, "127.0.0.1"))


@pytest.mark.parametrize("host", ["localhost", None])
@in_event_loop
async def test_a_real_host_has_one_port_at_each_address(host: str | None) -> None:
    async with a_runner() as runner:
        address = await listen(runner, PageSettings(0, host))
        assert address.endswith(f":{runner.addresses[0][1]}/")
        assert len({bound[1] for bound in runner.addresses}) == 1
