"""How many calls of plan code are made at one moment, and how long each keeps its place."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable

import pytest

from execloop.controller.plancode.errors import OutOfTime
from execloop.controller.plancode.places import Places
from execloop.testing import FakeClock
from tests.virtual_time import run_virtually

HOLD, LONG = 1.0, 10.0


class Moment:
    """One place, and calls that take so many seconds each; when each began."""

    def __init__(self, *, remembers: bool = False) -> None:
        self.clock = FakeClock()
        self.long: list[Hashable] = []
        self.began: dict[str, float] = {}
        self.remembers = remembers

    def of(self, main: Callable[[Places], Awaitable[None]]) -> None:
        async def live() -> None:
            await main(Places(1, HOLD, LONG, self.long.append, remembers=self.remembers))

        run_virtually(self.clock, live)

    def call(self, places: Places, key: str, seconds: float, within: float | None = None) -> asyncio.Task[None]:
        async def work() -> None:
            self.began[key] = self.clock.monotonic()
            await asyncio.sleep(seconds)

        return asyncio.create_task(places.call(key, work, within))

    def busy(self, seconds: float) -> None:
        """Keep the loop from its timers for so long."""
        self.clock.advance(seconds)


@pytest.fixture
def moment() -> Moment:
    return Moment()


def test_the_next_call_begins_when_the_one_before_has_ended(moment: Moment) -> None:
    async def main(places: Places) -> None:
        calls = [moment.call(places, key, HOLD / 2) for key in "ab"]
        await asyncio.sleep(0)
        assert places.waiting == 1
        await asyncio.gather(*calls)

    moment.of(main)
    assert moment.began["b"] - moment.began["a"] == HOLD / 2


def test_a_call_that_waits_for_the_world_gives_its_place_up(moment: Moment) -> None:
    async def main(places: Places) -> None:
        await asyncio.gather(*(moment.call(places, key, LONG / 2) for key in "ab"))

    moment.of(main)
    assert moment.began["b"] - moment.began["a"] == HOLD


def test_a_place_that_was_given_up_is_not_given_back_once_more(moment: Moment) -> None:
    async def main(places: Places) -> None:
        await moment.call(places, "a", 2 * HOLD)
        await asyncio.gather(*(moment.call(places, key, HOLD / 2) for key in "bcd"))

    moment.of(main)
    assert moment.began["d"] - moment.began["b"] == HOLD


def test_on_a_loop_that_is_late_a_call_keeps_its_place(moment: Moment) -> None:
    async def main(places: Places) -> None:
        calls = [moment.call(places, key, LONG / 2) for key in "ab"]
        await asyncio.sleep(HOLD / 2)
        moment.busy(HOLD)
        await asyncio.gather(*calls)

    moment.of(main)
    assert moment.began["b"] - moment.began["a"] == pytest.approx(2.5 * HOLD)


def test_it_keeps_it_for_so_long_and_no_longer(moment: Moment) -> None:
    async def main(places: Places) -> None:
        calls = [moment.call(places, key, 3 * LONG) for key in "ab"]
        while "b" not in moment.began:
            await asyncio.sleep(HOLD / 2)
            moment.busy(HOLD)
        await asyncio.gather(*calls)

    moment.of(main)
    assert LONG <= moment.began["b"] - moment.began["a"] <= LONG + 3 * HOLD


def test_a_call_that_gives_its_place_up_is_told_and_the_wait_for_a_place_is_no_part_of_its_time(
    moment: Moment,
) -> None:
    async def main(places: Places) -> None:
        first = moment.call(places, "a", 2 * HOLD)
        second = moment.call(places, "b", HOLD / 2, within=HOLD)
        await asyncio.gather(first, second)

    moment.of(main)
    assert moment.long == ["a"]


def test_a_call_that_needs_no_place_is_told_at_once() -> None:
    moment = Moment(remembers=True)

    async def main(places: Places) -> None:
        await moment.call(places, "a", 2 * LONG)
        moment.long.clear()
        await moment.call(places, "a", HOLD / 2)

    moment.of(main)
    assert moment.long == ["a"]


def test_on_a_loop_that_is_late_a_short_call_is_not_told(moment: Moment) -> None:
    async def main(places: Places) -> None:
        call = moment.call(places, "a", HOLD / 2)
        await asyncio.sleep(HOLD / 4)
        moment.busy(2 * HOLD)
        await call

    moment.of(main)
    assert moment.long == []


def test_a_call_has_so_much_time(moment: Moment) -> None:
    async def main(places: Places) -> None:
        with pytest.raises(OutOfTime, match="not ended within 2 s"):
            await moment.call(places, "a", LONG, within=2.0)

    moment.of(main)


def test_what_is_known_to_take_long_needs_no_place_until_it_is_short_again() -> None:
    moment = Moment(remembers=True)

    async def main(places: Places) -> None:
        await moment.call(places, "a", 2 * LONG)
        await asyncio.gather(moment.call(places, "b", HOLD / 2), moment.call(places, "a", HOLD / 2))
        assert moment.began["a"] == moment.began["b"]
        await asyncio.gather(moment.call(places, "b", HOLD / 2), moment.call(places, "a", HOLD / 2))
        assert moment.began["a"] == moment.began["b"] + HOLD / 2

    moment.of(main)
