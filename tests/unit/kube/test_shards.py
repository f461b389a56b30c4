"""Replicas that share ranges: on an API server in memory and a clock that never waits."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from execloop.kube import ApiError, Census, Lease, LeaseLost, LeaseTimes, Shards, Undivided
from execloop.kube.lease.ranges import range_of
from execloop.testing import FakeClock
from tests.fake_cluster import FakeCluster
from tests.virtual_time import run_virtually

TIMES = LeaseTimes()
LEASES = "/apis/coordination.k8s.io/v1/namespaces/system/leases"
Main = Callable[[], Coroutine[Any, Any, None]]


class World:
    def __init__(self) -> None:
        self.clock, self.cluster = FakeClock(), FakeCluster()
        self.tasks: list[asyncio.Task[str]] = []

    def shards(self, ranges: int) -> Shards:
        made = Shards(
            self.cluster.connection, "execloop", "system", ranges, TIMES,
            monotonic=self.clock.monotonic, now=self.clock.now, chance=lambda: 0.5,
        )  # fmt: skip
        made.notes = []  # type: ignore[attr-defined]
        made.gained = lambda index: made.notes.append(("gained", index))  # type: ignore[attr-defined]
        return made

    def undivided(self) -> Undivided:
        monotonic = self.clock.monotonic
        lease = Lease(self.cluster.connection, "execloop", "system", TIMES, monotonic=monotonic, now=self.clock.now)
        return Undivided(lease, Census(self.cluster.connection, "execloop", "system", 1, TIMES, monotonic))

    async def start(self, one: Shards | Undivided) -> asyncio.Task[str]:
        async def live() -> str:
            await one.acquire()
            return await one.keep()

        self.tasks.append(asyncio.create_task(live()))
        await asyncio.sleep(0.01)
        return self.tasks[-1]

    async def kill(self, one: Shards, task: asyncio.Task[str]) -> None:
        """End it as a crash does: nothing is released."""
        task.cancel()
        for renewal in one._renewals.values():
            renewal.cancel()

    def live(self, main: Main) -> None:
        async def whole() -> None:
            try:
                await main()
            finally:
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()

        run_virtually(self.clock, whole)


@pytest.fixture
def world() -> World:
    return World()


def owned(one: Shards) -> list[int]:
    return [index for index, mine in one.ownership().items() if mine]


def test_one_replica_has_all_ranges(world: World) -> None:
    async def main() -> None:
        one = world.shards(3)
        await world.start(one)
        await asyncio.sleep(1)
        assert owned(one) == [0, 1, 2]
        assert one.held
        assert all(one.owns(str(number)) for number in range(20))

    world.live(main)


def test_a_lease_whose_taking_was_not_answered_is_taken_again_at_once(world: World) -> None:
    async def main() -> None:
        lost: list[bool] = []

        def lose_one_answer() -> None:
            if not lost and world.cluster.writes[-1].path == LEASES and "execloop-3-1" in str(world.cluster.writes[-1]):
                lost.append(True)
                raise ApiError(0, "Disconnected", "as the test wants it")

        world.cluster.after_writes(lose_one_answer)
        one = world.shards(3)
        await world.start(one)
        await asyncio.sleep(2 * TIMES.retry)
        assert lost
        assert owned(one) == [0, 1, 2]

    world.live(main)


def test_what_cannot_be_taken_does_not_keep_it_from_the_rest(world: World) -> None:
    async def main() -> None:
        one = world.shards(3)
        refused = [0]

        def refuse() -> None:
            if "execloop-3-0" in str(world.cluster.writes[-1]) and refused[0] < 3:
                refused[0] += 1
                raise ApiError(500, "InternalError", "as the test wants it")

        world.cluster.after_writes(refuse)
        await world.start(one)
        await asyncio.sleep(1)
        assert owned(one) == [1, 2]

    world.live(main)


def test_a_second_replica_gets_its_share_and_no_range_has_two_owners(world: World) -> None:
    async def main() -> None:
        first, second = world.shards(4), world.shards(4)
        await world.start(first)
        await asyncio.sleep(5)
        await world.start(second)
        for _ in range(300):
            await asyncio.sleep(0.1)
            assert set(owned(first)) & set(owned(second)) == set()
        assert (len(owned(first)), len(owned(second))) == (2, 2)
        uid = "a uid"
        owner = first if range_of(uid, 4) in owned(first) else second
        assert [one.owns(uid) for one in (first, second)] == [owner is first, owner is second]
        other = second if owner is first else first
        assert (owner.holder(uid), other.holder(uid)) == ("", owner._me)

    world.live(main)


def test_a_range_is_released_once_its_work_has_ended(world: World) -> None:
    async def main() -> None:
        first, second = world.shards(2), world.shards(2)
        await world.start(first)
        await asyncio.sleep(5)
        ended = asyncio.Event()

        async def leave(_index: int) -> bool:
            await ended.wait()
            return True

        first.leave = leave
        await world.start(second)
        await asyncio.sleep(60)
        assert (owned(first), owned(second), first.held) == ([0], [], True)
        ended.set()
        await asyncio.sleep(5)
        assert (owned(first), owned(second)) == ([0], [1])

    world.live(main)


def test_a_range_whose_work_does_not_end_is_kept(world: World) -> None:
    async def main() -> None:
        first, second = world.shards(2), world.shards(2)
        await world.start(first)
        await asyncio.sleep(5)

        async def leave(_index: int) -> bool:
            await asyncio.sleep(0)
            return False

        first.leave = leave
        await world.start(second)
        await asyncio.sleep(20)
        assert owned(second) == []
        assert ("gained", 1) in first.notes[2:]  # type: ignore[attr-defined]

    world.live(main)


def test_the_ranges_of_one_that_died_go_to_the_others_and_its_own_lease_is_deleted(world: World) -> None:
    async def main() -> None:
        first, second = world.shards(4), world.shards(4)
        await world.start(first)
        dying = await world.start(second)
        await asyncio.sleep(20)
        await world.kill(second, dying)
        await asyncio.sleep(TIMES.deadline)
        assert not second.held
        with pytest.raises(LeaseLost):
            second.require()
        await asyncio.sleep(2 * TIMES.duration)
        assert owned(first) == [0, 1, 2, 3]
        assert [path for path in world.cluster.objects if "member" in path] == [f"{LEASES}/{first._member.name}"]

    world.live(main)


def test_what_is_released_is_taken_within_seconds(world: World) -> None:
    async def main() -> None:
        first, second = world.shards(4), world.shards(4)
        await world.start(first)
        going = await world.start(second)
        await asyncio.sleep(20)
        going.cancel()
        await second.release()
        await asyncio.sleep(2 * TIMES.retry)
        assert owned(first) == [0, 1, 2, 3]

    world.live(main)


def test_a_lost_lease_ends_it_with_all_its_ranges(world: World) -> None:
    async def main() -> None:
        one = world.shards(2)
        living = await world.start(one)
        await asyncio.sleep(1)
        world.cluster.objects[f"{LEASES}/execloop-2-1"]["spec"]["holderIdentity"] = "another"
        world.cluster.objects[f"{LEASES}/execloop-2-1"]["metadata"]["resourceVersion"] = "999999"
        assert "execloop-2-1: another holds it" in await living
        assert not one.held

    world.live(main)


@pytest.mark.parametrize("new", [1, 3])
def test_no_range_is_taken_while_the_plans_are_divided_otherwise(world: World, new: int) -> None:
    async def main() -> None:
        old = world.shards(2)
        keeping = await world.start(old)
        await asyncio.sleep(1)
        other = world.undivided() if new == 1 else world.shards(new)
        await world.start(other)
        await asyncio.sleep(60)
        assert (old.held, other.held) == (True, False)
        assert "execloop-2-" in other.problem
        keeping.cancel()
        await old.release()
        await asyncio.sleep(3 * TIMES.retry)
        assert other.held

    world.live(main)


def test_two_divisions_that_begin_at_once_are_never_in_force_together(world: World) -> None:
    async def main() -> None:
        both = world.shards(2), world.undivided()
        for one in both:
            await world.start(one)
        for _ in range(600):
            await asyncio.sleep(0.1)
            assert not (both[0].held and both[1].held)
        assert any(one.held for one in both)

    world.live(main)


def test_a_standby_knows_who_holds_the_one_lease(world: World) -> None:
    async def main() -> None:
        first, second = world.undivided(), world.undivided()
        await world.start(first)
        await asyncio.sleep(5)
        await world.start(second)
        await asyncio.sleep(5)
        assert first.held
        assert (first.holder("a uid"), second.holder("a uid")) == ("", first._lease.holder)

    world.live(main)


def test_without_the_right_to_list_leases_an_undivided_operator_works(world: World) -> None:
    async def main() -> None:
        world.cluster.fail_next(403, "Forbidden", times=1)
        one = world.undivided()
        await world.start(one)
        await asyncio.sleep(1)
        assert one.held
        assert one.owns("any")

    world.live(main)
