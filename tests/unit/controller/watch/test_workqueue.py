import asyncio

import pytest

from execloop.controller.watch.workqueue import WorkQueue
from execloop.testing import FakeClock
from tests.asynchronous import in_event_loop
from tests.virtual_time import run_virtually


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> WorkQueue[str]:
    return WorkQueue(clock.monotonic)


def popped(queue: WorkQueue[str], worst: int = 2) -> str:
    """Every key that is due, in order."""
    keys = ""
    while (key := queue.pop(worst)) is not None:
        keys += key
    return keys


class TestOrder:
    def test_keys_that_are_due_come_by_due_time(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        queue.add("a", after=3)
        queue.add("b", after=1)
        queue.add("c", after=2)
        clock.advance(3)
        assert popped(queue) == "bca"

    def test_a_better_priority_comes_before_an_earlier_due_time(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        queue.add("a", after=1, priority=1)
        queue.add("b", after=2)
        clock.advance(2)
        assert popped(queue) == "ba"

    def test_a_better_priority_makes_nothing_due(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        queue.add("a", after=2)
        queue.add("b", after=1, priority=1)
        clock.advance(1)
        assert popped(queue) == "b"

    def test_keys_that_became_due_before_keep_their_place_among_new_ones(
        self, queue: WorkQueue[str], clock: FakeClock
    ) -> None:
        for key in "abc":
            queue.add(key, priority=1)
        assert queue.pop() == "a"
        queue.add("d")
        assert popped(queue) == "dbc"

    def test_equals_come_in_the_order_in_which_they_were_added(self, queue: WorkQueue[str]) -> None:
        for key in "cab":
            queue.add(key)
        assert popped(queue) == "cab"

    @pytest.mark.parametrize(("worst", "taken"), [(0, "a"), (1, "ab"), (2, "abc")])
    def test_who_asks_for_a_priority_gets_that_or_a_better_one(
        self, queue: WorkQueue[str], worst: int, taken: str
    ) -> None:
        for priority, key in enumerate("abc"):
            queue.add(key, priority=priority)
        assert popped(queue, worst) == taken


class TestAdding:
    def test_a_key_waits_once_however_often_it_is_added(self, queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.add("a")
        assert (len(queue), popped(queue), len(queue)) == (1, "a", 0)

    @pytest.mark.parametrize(("first", "second"), [(1, 5), (5, 1)])
    def test_the_earlier_time_wins(self, queue: WorkQueue[str], clock: FakeClock, first: float, second: float) -> None:
        queue.add("a", after=first)
        queue.add("a", after=second)
        clock.advance(1)
        assert popped(queue) == "a"
        queue.done("a")
        clock.advance(9)
        assert popped(queue) == ""

    @pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0)])
    def test_the_better_priority_wins(self, queue: WorkQueue[str], first: int, second: int) -> None:
        queue.add("b", priority=1)
        queue.add("a", priority=first)
        queue.add("a", priority=second)
        assert popped(queue) == "ab"

    def test_a_negative_delay_is_none(self, queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.add("b", after=-5)
        assert popped(queue) == "ab"

    def test_a_forgotten_key_does_not_come(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        queue.add("a")
        queue.add("b", after=1)
        queue.forget("a")
        queue.forget("b")
        queue.forget("c")
        clock.advance(1)
        assert (len(queue), popped(queue)) == (0, "")

    def test_a_forgotten_key_may_be_added_again(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        queue.add("a")
        queue.forget("a")
        queue.add("a", after=2)
        assert popped(queue) == ""
        clock.advance(2)
        assert popped(queue) == "a"


class TestWork:
    def test_a_key_in_work_is_given_to_nobody_else(self, queue: WorkQueue[str]) -> None:
        queue.add("a")
        assert queue.pop() == "a"
        queue.add("a")
        assert queue.pop() is None

    def test_what_was_added_during_the_work_is_due_when_it_is_done(self, queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.pop()
        queue.add("a")
        queue.done("a", after=600)
        assert popped(queue) == "a"

    def test_the_work_may_say_when_it_is_due_again(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        queue.add("a")
        queue.pop()
        queue.done("a", after=2)
        assert popped(queue) == ""
        clock.advance(2)
        assert popped(queue) == "a"

    def test_it_is_not_due_again_of_itself(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        queue.add("a")
        queue.pop()
        queue.done("a")
        clock.advance(1000)
        assert popped(queue) == ""

    def test_what_was_forgotten_during_the_work_is_not_due_when_it_is_done(self, queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.pop()
        queue.add("a")
        queue.forget("a")
        queue.done("a")
        assert popped(queue) == ""


class TestTimes:
    def test_it_knows_how_long_until_a_key_is_due(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        assert queue.next_due() is None
        queue.add("a", after=5)
        clock.advance(2)
        assert queue.next_due() == 3
        clock.advance(9)
        assert queue.next_due() == 0

    def test_it_knows_how_long_a_key_has_been_due(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        assert queue.overdue() == 0
        queue.add("a", after=5)
        clock.advance(2)
        assert queue.overdue() == 0
        clock.advance(9)
        assert queue.overdue() == 6

    def test_a_key_that_is_due_and_not_first_counts_as_overdue_too(
        self, queue: WorkQueue[str], clock: FakeClock
    ) -> None:
        queue.add("a", priority=1)
        queue.add("b")
        queue.pop()
        clock.advance(6)
        assert queue.overdue() == 6

    def test_a_forgotten_key_is_not_overdue(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        queue.add("a")
        queue.forget("a")
        clock.advance(100)
        assert (queue.overdue(), queue.next_due()) == (0, None)

    def test_it_holds_no_more_than_its_keys_however_often_they_come(
        self, queue: WorkQueue[str], clock: FakeClock
    ) -> None:
        """A Plan with an interval of a day may drift every second of it."""
        for _ in range(10_000):
            queue.add("a")
            queue.pop()
            queue.done("a", after=86_400)
            clock.advance(1)
        assert sum(map(len, (*queue._waiting.values(), *queue._ready.values()))) < 100


class TestWaiting:
    def test_get_waits_until_a_key_is_due(self, queue: WorkQueue[str], clock: FakeClock) -> None:
        queue.add("a", after=5)

        async def main() -> str:
            return await queue.get()

        assert (run_virtually(clock, main), clock.now()) == ("a", 5)

    def test_get_wakes_for_a_key_that_is_due_before_what_it_waits_for(self, clock: FakeClock) -> None:
        async def main() -> str:
            queue = WorkQueue[str](clock.monotonic)
            queue.add("a", after=5)
            asyncio.get_running_loop().call_later(1, queue.add, "b", 2)
            return await queue.get()

        assert (run_virtually(clock, main), clock.now()) == ("b", 3)

    @pytest.mark.parametrize(("priority", "due"), [(0, 1), (1, 2), (2, 2)])
    def test_who_waits_for_edits_sleeps_through_all_else(self, clock: FakeClock, priority: int, due: float) -> None:
        async def main() -> str:
            queue = WorkQueue[str](clock.monotonic)
            queue.add("other", after=1, priority=priority)
            queue.add("edit", after=2)
            return await queue.get(0)

        assert (run_virtually(clock, main), clock.now()) == ("other" if priority == 0 else "edit", due)

    def test_each_of_several_workers_gets_a_key(self, clock: FakeClock) -> None:
        async def main() -> list[str]:
            queue = WorkQueue[str](clock.monotonic)
            workers = [asyncio.ensure_future(queue.get()) for _ in range(3)]
            await asyncio.sleep(1)
            for key in "abc":
                queue.add(key, after=1)
            return await asyncio.gather(*workers)

        assert sorted(run_virtually(clock, main)) == ["a", "b", "c"]

    @in_event_loop
    async def test_idle_waits_until_no_key_is_in_work(self) -> None:
        queue = WorkQueue[str]()
        await queue.idle()
        queue.add("a")
        queue.add("b")
        assert [await queue.get(), await queue.get()] == ["a", "b"]
        idle = asyncio.ensure_future(queue.idle())
        queue.done("a")
        await asyncio.sleep(0)
        assert not idle.done()
        queue.done("b", after=600)
        await idle

    @in_event_loop
    async def test_a_cancelled_worker_takes_no_key_along(self) -> None:
        queue = WorkQueue[str]()
        worker = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.add("a")
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        assert await queue.get() == "a"
