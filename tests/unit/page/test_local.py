"""The page of a run on this machine: who it answers, and how it lives beside the run."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
from aiohttp.test_utils import TestClient, TestServer

from execloop.kube import ConfigurationError
from execloop.page.local import RunSite, application, shown
from execloop.page.presentation import Presentation
from execloop.page.runs.record import Record
from execloop.page.settings import PageSettings
from execloop.page.views.guard import HEADERS
from execloop.testing import FakeClock
from tests.asynchronous import in_event_loop

HOSTILE = "<img src=x onerror=alert(1)> \ud800"


def a_record(name: str = "rotate") -> Record:
    return Record(name, FakeClock().monotonic, lambda: datetime(2026, 1, 1, tzinfo=UTC))


def client(record: Record) -> TestClient:  # type: ignore[type-arg]
    site = RunSite(record, asyncio.get_running_loop())
    return TestClient(TestServer(application(site, record)))


@pytest.mark.parametrize("path", ["/", "/live", "/static/page.css"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "["])
@in_event_loop
async def test_a_host_that_is_not_this_machine_is_refused(path: str, host: str) -> None:
    async with client(a_record()) as browser, browser.get(path, headers={"Host": host}) as answer:
        assert answer.status in (400, 403)
        assert "rotate" not in await answer.text()


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8090"])
@in_event_loop
async def test_this_machine_needs_no_token_and_has_the_pages_headers(host: str) -> None:
    async with client(a_record()) as browser, browser.get("/", headers={"Host": host}) as answer:
        assert answer.status == 200
        assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)


@in_event_loop
async def test_nothing_can_be_sent_to_it() -> None:
    async with client(a_record()) as browser:
        async with browser.post("/", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert answer.status == 403
        async with browser.post("/", headers={"Sec-Fetch-Site": "same-origin"}) as answer:
            assert answer.status == 405


@in_event_loop
async def test_nothing_of_a_plan_becomes_markup() -> None:
    record = a_record(HOSTILE)
    record.end("CreateFailed", HOSTILE)
    async with client(record) as browser, browser.get("/") as answer:
        assert "<img" not in await answer.text()


@in_event_loop
async def test_a_stream_shows_the_end_and_ends_with_it() -> None:
    record = a_record()
    async with client(record) as browser, browser.get("/live") as answer:
        first = await answer.content.readuntil(b"\n\n")
        await asyncio.to_thread(record.end, "Converged", "")
        rest = await answer.content.read()
    assert b"data-ended" not in first
    assert b"data-ended" in rest


@in_event_loop
async def test_a_page_of_a_run_that_ended_asks_for_no_stream() -> None:
    record = a_record()
    record.end("Converged", "")
    async with client(record) as browser, browser.get("/") as answer:
        assert "hx-sse:connect" not in await answer.text()


def test_it_is_served_while_the_block_lasts() -> None:
    with shown(a_record(), PageSettings(0, "127.0.0.1")) as address:
        assert b"rotate" in urllib.request.urlopen(address).read()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address)


def test_a_port_that_is_taken_is_said() -> None:
    with (
        shown(a_record(), PageSettings(0, "127.0.0.1")) as address,
        pytest.raises(ConfigurationError, match=r"--page 127\.0\.0\.1:.*in use"),
        shown(a_record(), PageSettings(int(address.rstrip("/").rpartition(":")[2]), "127.0.0.1")),
    ):
        pass


@pytest.mark.parametrize(("again", "words"), [("2026-01-01T00:00:20Z", ">in 20s<"), ("2025-12-31T23:59:59Z", ">due<")])
def test_a_next_run_comes_or_is_due(again: str, words: str) -> None:
    presentation = Presentation(lambda: datetime(2026, 1, 1, tzinfo=UTC))
    drawn = presentation._environment.from_string("{{ again | due }}").render(again=again, now=presentation._now())
    assert words in drawn
    assert "data-due" in drawn
