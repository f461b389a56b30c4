"""When a stream lists, watches and waits: on a clock of its own, against a source that does as a test says."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

import pytest

from execloop.kube import ApiError
from execloop.kube.watch.answers import EventType, Identity, Page
from execloop.kube.watch.stream import Stream
from execloop.testing import FakeClock
from tests.virtual_time import run_virtually


def made(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "team", "resourceVersion": version}}


class Source:
    """Has objects; by default its watches are silent, and end after the time that was asked for."""

    name = "Things"

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.objects = [made("a", "7")]
        self.version = "7"
        self.bookmarks = True
        self.list_error: ApiError | None = None
        self.watch_error: ApiError | None = None
        self.brief = False
        self.hangs = False
        self.lists: list[float] = []
        self.watches: list[tuple[float, str, float]] = []

    def add(self, name: str, version: str) -> None:
        self.objects.append(made(name, version))
        self.version = version

    async def pages(self, *, whole: bool) -> AsyncGenerator[Page, None]:
        self.lists.append(self.clock.now())
        if self.list_error:
            raise self.list_error
        yield Page(list(self.objects), self.version)

    async def events(self, version: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        self.watches.append((self.clock.now(), version, seconds))
        if self.watch_error:
            raise self.watch_error
        if self.brief:
            return
        left = seconds
        while self.bookmarks and left > 60:
            await asyncio.sleep(60)
            left -= 60
            yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}
        await asyncio.sleep(100_000 if self.hangs else left)


class Receiver:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def found(self, found: dict[str, Any]) -> None:
        self.heard.append(found["metadata"]["name"])

    def listed(self, present: set[Identity]) -> None:
        self.heard.append(len(present))

    def changed(self, event: EventType, subject: dict[str, Any]) -> None:
        self.heard.append((event, subject["metadata"]["name"]))

    def refused(self, error: ApiError) -> None:
        self.heard.append(error.status)

    def absent(self) -> None:
        self.heard.append("absent")


class Life:
    """One stream and what surrounds it; `lasting` lives so many seconds of it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.source, self.receiver = Source(self.clock), Receiver()
        self.restarts: list[str] = []
        self.pauses: list[float] = []
        self.said: list[str] = []
        self.at: list[tuple[float, Callable[[], object]]] = []

    def lasting(self, seconds: float) -> "Life":
        async def live() -> None:
            self.stream = Stream(
                self.source, self.receiver, restarted=self.restarts.append, sleep=self._sleep, chance=lambda: 0.5
            )
            running = asyncio.create_task(self.stream.run())
            for moment, deed in [*self.at, (seconds, lambda: None)]:
                await asyncio.sleep(moment - self.clock.now())
                deed()
            self.said.append(self.stream.problem)
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

        run_virtually(self.clock, live)
        return self

    def relist(self) -> None:
        self.stream.relist()

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(seconds)


@pytest.fixture
def life() -> Life:
    return Life()


def test_a_sound_watch_is_continued_and_nothing_is_listed_again(life: Life) -> None:
    life.lasting(2000)
    assert (len(life.source.lists), len(life.source.watches), life.restarts, life.said) == (1, 4, [], [""])


def test_other_work_has_its_turn_before_a_long_page_of_a_list_is_taken(life: Life) -> None:
    life.source.objects = [made(f"{number}", "7") for number in range(200)]
    found = life.receiver.found

    def first_found(first: dict[str, Any]) -> None:
        life.receiver.found = found  # type: ignore[method-assign]
        found(first)
        asyncio.get_running_loop().call_soon(life.receiver.heard.append, "other work")

    life.receiver.found = first_found  # type: ignore[assignment,method-assign]
    life.lasting(10)
    assert life.receiver.heard.index("other work") < 100
    assert life.receiver.heard[-1] == 200


def test_pauses_double_up_to_half_a_minute(life: Life) -> None:
    life.source.list_error = ApiError(500, "InternalError", "")
    life.lasting(100)
    assert life.pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_server_that_ends_each_watch_at_once_is_asked_with_pauses_and_lists_nothing_again(life: Life) -> None:
    life.source.brief = True
    life.lasting(100)
    assert (life.pauses[:4], len(life.source.lists), set(life.restarts)) == ([1, 2, 4, 8], 1, {"error"})


def test_a_refusal_is_asked_again_more_and_more_seldom(life: Life) -> None:
    life.source.list_error = ApiError(403, "Forbidden", "")
    life.lasting(2000)
    assert life.pauses[-2:] == [300, 300]
    assert set(life.restarts) == {"refused"}


def test_what_the_server_asks_to_wait_is_waited(life: Life) -> None:
    life.source.watch_error = ApiError(429, "TooManyRequests", "", retry_after=7)
    life.lasting(10)
    assert (life.pauses[0], len(life.source.lists)) == (7, 1)


def test_a_version_that_the_server_forgot_is_no_fault_and_all_is_listed_at_once(life: Life) -> None:
    life.source.watch_error = ApiError(410, "Expired", "")
    life.at = [(0.5, lambda: None)]
    life.lasting(0.9)
    assert (life.pauses[0], life.source.lists[:2], life.restarts[:2]) == (0, [0, 0], ["gone", "gone"])


def test_a_silent_watch_is_found_within_90_seconds_and_all_is_listed(life: Life) -> None:
    life.source.bookmarks = False
    life.at = [(10, lambda: life.source.add("b", "8"))]
    life.lasting(80)
    assert life.source.lists == [0, 75]
    assert life.receiver.heard == ["a", 1, "a", "b", 2]
    assert life.restarts == ["silent"]


def test_a_proxy_that_holds_events_back_gets_short_watches_for_an_hour(life: Life) -> None:
    life.source.bookmarks = False
    life.at = [(10, lambda: life.source.add("b", "8"))]
    life.lasting(3800)
    seconds = [seconds for _, _, seconds in life.source.watches]
    assert seconds[:3] == [600, 10, 10]
    assert life.source.watches[-1][2] == 600
    assert life.said == [""]


def test_a_watch_that_stays_dead_is_a_problem_after_a_minute(life: Life) -> None:
    life.source.bookmarks, life.source.hangs = False, True
    life.at = [(10, lambda: life.source.add("b", "8"))]
    life.lasting(200)
    assert life.said[0].startswith("Things: the watch is down for 1")
    assert len(life.source.lists) >= 4


def test_a_quiet_one_without_bookmarks_is_none(life: Life) -> None:
    life.source.bookmarks = False
    life.lasting(1000)
    assert (life.said, set(life.restarts), len(life.source.lists)) == ([""], {"silent"}, 14)


def test_a_watch_that_fails_while_lists_work_is_a_problem_after_a_minute(life: Life) -> None:
    life.source.watch_error = ApiError(404, "NotFound", "")
    life.at = [(50, lambda: life.said.append(life.stream.problem))]
    life.lasting(100)
    assert life.said == ["", "Things: the watch is down for 100 s: 404 NotFound"]


def test_a_short_watch_proves_that_it_works_again(life: Life) -> None:
    life.source.watch_error = ApiError(500, "InternalError", "")

    def recover() -> None:
        life.source.watch_error = None

    life.at = [(100, recover)]
    life.lasting(140)
    assert (life.said, life.source.watches[-2][2], life.source.watches[-1][2]) == ([""], 10, 600)


def test_a_fault_of_the_receiver_is_logged_and_all_is_listed_again(
    life: Life, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[object] = []

    def listed(present: set[Identity]) -> None:
        calls.append(present)
        if len(calls) == 1:
            raise RuntimeError("no such thing")

    monkeypatch.setattr(life.receiver, "listed", listed)
    life.lasting(5)
    assert len(calls) == 2
    assert "RuntimeError: no such thing" in caplog.text


def test_on_demand_all_is_listed_anew_at_once_though_the_watch_is_sound(life: Life) -> None:
    life.at = [(100, life.relist)]
    life.lasting(300)
    assert life.source.lists == [0, 100]
    assert (len(life.source.watches), life.restarts, life.pauses) == (2, [], [0.0])


def test_a_demand_before_the_first_list_costs_no_second_one(life: Life) -> None:
    life.source.list_error = ApiError(500, "InternalError", "")
    life.at = [(10, life.relist), (10, lambda: setattr(life.source, "list_error", None))]
    life.lasting(300)
    assert [at for at in life.source.lists if at > 10] == [15]


def test_a_list_on_demand_that_fails_is_read_again(life: Life) -> None:
    def fail() -> None:
        life.source.list_error = ApiError(0, "Disconnected", "")
        life.relist()

    life.at = [(100, fail), (100.5, lambda: setattr(life.source, "list_error", None))]
    life.lasting(300)
    assert life.source.lists == [0, 100, 101]
