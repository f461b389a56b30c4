"""Many Leases in place of one: the Plans are divided into ranges, and the replicas share the ranges.

The process asks a `Shards` what it asks a `Lease`; the controller also asks which Plans are its own. A range is given
up to a replica that has too few, once all work in it has ended. A Lease that is *lost* ends the process, with all its
ranges.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from execloop.kube.errors import ApiError, LeaseLost
from execloop.kube.lease.census import Census, member_lease
from execloop.kube.lease.election import LeaseTimes
from execloop.kube.lease.lease import Lease, awake_or_not, identity
from execloop.kube.lease.ranges import Range, range_of, shard_selector
from execloop.kube.lease.share import to_give, to_take

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from execloop.kube.http.connection import Connection
    from execloop.kube.lease.share import Sight

__all__ = ["Shards"]

logger = logging.getLogger(__name__)

_JITTER = 0.2


def _nothing(_index: int) -> None:
    """Do nothing: the default of `Shards.gained`."""


async def _at_once(_index: int) -> bool:
    """Return that no work is left: the default of `Shards.leave`."""
    return True


class Shards:
    """`acquire`, `keep` while it is held, `release`, as of a Lease. All on one event loop; `held` from any thread.

    `gained` learns of each range that this process may work on from now on. `leave` has to end all work in a range, and
    answers whether it has; then the range is released.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        namespace: str,
        ranges: int,
        times: LeaseTimes | None = None,
        *,
        monotonic: Callable[[], float] = awake_or_not,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name, self.namespace, self.ranges = name, namespace, ranges
        self.gained: Callable[[int], None] = _nothing
        self.leave: Callable[[int], Awaitable[bool]] = _at_once
        self.problem = ""
        self._times, self._chance = times or LeaseTimes(), chance
        self._me = identity()

        def lease(name: str) -> Lease:
            return Lease(
                connection,
                name,
                namespace,
                self._times,
                holder=self._me,
                monotonic=monotonic,
                now=now,
                chance=chance,
            )

        self._leases = {index: lease(Range(index, ranges).lease(name)) for index in range(ranges)}
        self._member = lease(member_lease(name, ranges, self._me))
        self._census = Census(connection, name, namespace, ranges, self._times, monotonic)
        self._owned: frozenset[int] = frozenset()
        self._holders: Mapping[int, str] = {}
        self._renewals: dict[int, asyncio.Task[str]] = {}
        self._lost = ""
        self._wake = asyncio.Event()

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} ({self.ranges} ranges)"

    @property
    def first(self) -> Lease:
        """Return the Lease of the first range: what all replicas have to know stands on it."""
        return self._leases[0]

    def ownership(self) -> dict[int, bool]:
        """Return for each range whether this process may work on its Plans."""
        return {index: index in self._owned for index in range(self.ranges)}

    @property
    def selector(self) -> str:
        """Return the `shardSelector` of the ranges whose Leases this process has, also while it gives one up."""
        return shard_selector(self._renewals, self.ranges)

    @property
    def held(self) -> bool:
        """Return whether this process may work at all: it has a range, and no Lease of its ranges has run out."""
        return bool(self._renewals) and not self._lost and all(self._leases[index].held for index in self._renewals)

    def owns(self, uid: str) -> bool:
        """Return whether the Plan of this uid is in a range that this process may work on."""
        return range_of(uid, self.ranges) in self._owned

    def holder(self, uid: str) -> str:
        """Return who held the range of this Plan at the last turn; empty when that is this process."""
        holder = self._holders.get(range_of(uid, self.ranges), "")
        return "" if holder == self._me else holder

    def require(self) -> None:
        """Raise LeaseLost unless it is held."""
        if not self.held:
            raise LeaseLost(f"a Lease of {self} is not held")

    async def acquire(self) -> None:
        """Wait until this process has a range, however long that takes."""
        while not self._owned:
            await self._turn()
            if not self._owned:
                await self._pause()

    async def keep(self) -> str:
        """Renew the ranges, take more and give some up, until one is lost; return why."""
        while not self._lost:
            await self._pause()
            if not self._lost:
                await self._turn()
        return self._lost

    async def release(self) -> None:
        """Let others have the ranges at once. What cannot be written takes them the duration."""
        await asyncio.gather(*(self._let_go(index) for index in tuple(self._renewals)))
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._times.retry):
                await self._member.delete()

    async def _turn(self) -> None:
        """Show that this process is alive, look at all Leases, and come one step closer to a fair share."""
        try:
            async with asyncio.timeout(self._times.deadline):
                await self._member.renew()
                sight = self._without_strays(await self._census.look(self._leases))
                self._holders = sight.holders
                await self._census.bury()
            await self._take(to_take(sight, self._me))
        except (ApiError, TimeoutError) as error:
            self._say(f"the Leases of {self}: {error or 'the API server did not answer in time'}; trying again")
            return
        waits = f"the Lease {sight.others} is held: this operator waits until the Plans are no longer divided so"
        self._say(waits if sight.others else "")
        if (index := to_give(sight, self._me)) is not None and index in self._owned:
            await self._give(index)

    async def _take(self, indexes: list[int]) -> None:
        """Take ranges, unless another division of the Plans came into force meanwhile.

        Who divides them otherwise looks as well after it has taken a Lease: at least one of the two sees the other.
        """
        taken: list[int] = []

        async def take(index: int) -> None:
            if await self._leases[index].take():
                self._renew(index)
                taken.append(index)

        sight: Sight | None = None
        try:
            ended = await asyncio.gather(*map(take, indexes), return_exceptions=True)
            errors = [error for error in ended if isinstance(error, BaseException)]
            if errors and not taken:
                raise errors[0]
            sight = await self._census.look() if taken else None
        finally:
            if sight is None or sight.others:
                await asyncio.gather(*map(self._let_go, taken))
        if sight is not None and not sight.others:
            for index in sorted(taken):
                self._own(index)

    def _without_strays(self, sight: Sight) -> Sight:
        """Count a Lease of ours as free when it is not renewed: the answer to the write that took it was lost."""
        mine = self._renewals.keys()
        holders = {i: holder for i, holder in sight.holders.items() if holder != self._me or i in mine}
        return replace(sight, holders=holders)

    def _own(self, index: int) -> None:
        self._owned |= {index}
        logger.info("works on range %d of %d: holds the Lease %s", index, self.ranges, self._leases[index])
        self.gained(index)

    async def _give(self, index: int) -> None:
        """Give a range up, unless its work does not end."""
        self._owned -= {index}
        logger.info("gives up range %d of %d to another replica", index, self.ranges)
        if await self.leave(index):
            await self._let_go(index)
        elif not self._lost:
            logger.warning("keeps range %d of %d: plan code of its Plans does not end", index, self.ranges)
            self._own(index)

    def _renew(self, index: int) -> None:
        task = asyncio.get_running_loop().create_task(self._leases[index].keep())
        self._renewals[index] = task
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[str]) -> None:
        """Note that a range is lost: a renewal that was not cancelled has ended."""
        for index, renewal in self._renewals.items():
            if renewal is task and not task.cancelled():
                error = task.exception()
                self._lost = f"{self._leases[index]}: {task.result() if error is None else error}"
                self._wake.set()

    async def _let_go(self, index: int) -> None:
        renewal = self._renewals.pop(index)
        self._owned -= {index}
        renewal.cancel()
        await asyncio.gather(renewal, return_exceptions=True)
        await self._leases[index].release()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._times.retry * (1 + _JITTER * self._chance())):
                await self._wake.wait()

    def _say(self, problem: str) -> None:
        if problem and problem != self.problem:
            logger.warning("%s", problem)
        self.problem = problem
