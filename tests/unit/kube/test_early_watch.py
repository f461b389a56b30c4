"""While a list of several pages is read, a watch brings what is new; what the pages say of it is older."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest

from execloop.kube import ApiError
from execloop.kube.watch.answers import EventType, Identity, Page
from execloop.kube.watch.stream import Stream
from execloop.testing import FakeClock
from tests.virtual_time import run_virtually

_PAGE_TAKES = 10.0


def thing(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "team", "resourceVersion": f"{version}"}}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": thing(name, version)}


class Source:
    """Lists `a`, then `b`, at version 7, a page each. Its first watch brings `reported` after a second."""

    name = "Things"

    def __init__(self, *reported: dict[str, Any], names: str = "ab", error: ApiError | None = None) -> None:
        self.reported, self.names, self.error = reported, names, error
        self.watched: list[str] = []

    async def pages(self, *, whole: bool) -> AsyncGenerator[Page, None]:
        for number, name in enumerate(self.names):
            if number:
                await asyncio.sleep(_PAGE_TAKES)
            yield Page([thing(name, 5)], "7")

    async def events(self, version: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        self.watched.append(version)
        if len(self.watched) == 1:
            await asyncio.sleep(1)
            for one in self.reported:
                yield one
            if self.error is not None:
                raise self.error
        await asyncio.sleep(seconds)


class Receiver:
    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.began = clock, clock.now()
        self.heard: list[tuple[float, object]] = []
        self.present: set[Identity] = set()

    def found(self, found: dict[str, Any]) -> None:
        self._hear(found["metadata"]["name"])

    def listed(self, present: set[Identity]) -> None:
        self.present = present
        self._hear("listed")

    def changed(self, kind: EventType, subject: dict[str, Any]) -> None:
        self._hear((kind, subject["metadata"]["name"]))

    def refused(self, error: ApiError) -> None:
        self._hear(error.status)

    def absent(self) -> None:
        self._hear("absent")

    def _hear(self, what: object) -> None:
        self.heard.append((self.clock.now() - self.began, what))


def lived(
    source: Source,
    *,
    early: bool = True,
    seconds: float = 60,
    clock: FakeClock | None = None,
    receiver: Receiver | None = None,
) -> Receiver:
    clock = clock or FakeClock()
    receiver = receiver or Receiver(clock)

    async def live() -> None:
        running = asyncio.create_task(Stream(source, receiver, early=early).run())
        await asyncio.sleep(seconds)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    run_virtually(clock, live)
    return receiver


def test_what_is_new_does_not_wait_for_the_last_page() -> None:
    receiver = lived(Source(event("ADDED", "new", 8)))
    assert receiver.heard == [(0, "a"), (1, ("ADDED", "new")), (10, "b"), (10, "listed")]


def test_a_stream_that_did_not_ask_for_it_hears_it_after_the_list() -> None:
    source = Source(event("ADDED", "new", 8))
    receiver = lived(source, early=False)
    assert receiver.heard == [(0, "a"), (10, "b"), (10, "listed"), (11, ("ADDED", "new"))]
    assert source.watched == ["7"]


def test_a_list_of_one_page_has_no_watch_beside_it() -> None:
    source = Source(names="a")
    lived(source)
    assert source.watched == ["7"]


def test_a_page_does_not_undo_what_the_watch_reported() -> None:
    receiver = lived(Source(event("MODIFIED", "b", 9)))
    assert receiver.heard == [(0, "a"), (1, ("MODIFIED", "b")), (10, "listed")]
    assert receiver.present == {("team", "a"), ("team", "b")}


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_was_deleted_meanwhile_does_not_exist_whichever_page_has_it(name: str) -> None:
    receiver = lived(Source(event("DELETED", name, 9)))
    assert receiver.present == {("team", other) for other in "ab" if other != name}


def test_what_was_created_meanwhile_exists() -> None:
    receiver = lived(Source(event("ADDED", "new", 8), event("ADDED", "brief", 9), event("DELETED", "brief", 10)))
    assert receiver.present == {("team", "a"), ("team", "b"), ("team", "new")}


def test_an_event_that_comes_late_does_not_bring_back_what_was_deleted() -> None:
    receiver = lived(Source(event("DELETED", "b", 9), event("MODIFIED", "b", 8)))
    assert receiver.present == {("team", "a")}


def test_the_watch_after_the_list_continues_where_that_beside_it_was() -> None:
    source = Source(event("ADDED", "new", 8), {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "12"}}})
    lived(source)
    assert source.watched == ["7", "12"]


@pytest.mark.parametrize("error", [ApiError(410, "Expired", ""), ApiError(500, "InternalError", "")])
def test_its_error_does_not_cost_the_list(error: ApiError) -> None:
    source = Source(event("ADDED", "new", 8), error=error)
    receiver = lived(source)
    assert [what for _, what in receiver.heard] == ["a", ("ADDED", "new"), "b", "listed"]
    assert source.watched == ["7", "8"]


def test_an_answer_that_is_no_event_does_not_cost_the_list() -> None:
    receiver = lived(Source({"type": "ODD"}))
    assert [what for _, what in receiver.heard] == ["a", "b", "listed"]


def test_a_list_that_fails_ends_it_and_the_next_list_begins_anew() -> None:
    source = Source(event("ADDED", "new", 8), names="abc")
    pages = source.pages

    async def once_broken(*, whole: bool) -> AsyncGenerator[Page, None]:
        async for page in pages(whole=whole):
            yield page
            if len(source.watched) == 1 and page.objects[0]["metadata"]["name"] == "b":
                raise ApiError(410, "Expired", "")

    source.pages = once_broken  # type: ignore[method-assign]
    receiver = lived(source)
    assert [what for _, what in receiver.heard] == ["a", ("ADDED", "new"), "b", "a", "b", "c", "listed"]
    assert receiver.present == {("team", "a"), ("team", "b"), ("team", "c")}


def test_a_stream_that_is_cancelled_while_it_ends_is_cancelled() -> None:
    source = Source(event("ADDED", "new", 8))
    events = source.events

    async def slow_to_end(version: str, seconds: float) -> AsyncGenerator[dict[str, Any], None]:
        try:
            async for one in events(version, seconds):
                yield one
        finally:
            await asyncio.sleep(5)

    source.events = slow_to_end  # type: ignore[method-assign]
    lived(source, seconds=_PAGE_TAKES + 2)
    assert source.watched == ["7"]


def test_an_error_of_the_receiver_lists_everything_again() -> None:
    source = Source(event("ADDED", "new", 8))
    clock = FakeClock()
    receiver = Receiver(clock)
    changed = receiver.changed

    def once_wrong(kind: EventType, subject: dict[str, Any]) -> None:
        receiver.changed = changed  # type: ignore[method-assign]
        raise KeyError(kind)

    receiver.changed = once_wrong  # type: ignore[method-assign]
    lived(source, receiver=receiver, clock=clock)
    assert [what for _, what in receiver.heard] == ["a", "b", "a", "b", "listed"]
