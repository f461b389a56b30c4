"""Whether this process may work, and on which Plans: while it holds Leases, or always where it is alone.

`process` acquires, keeps and releases it; every request and every task asks it first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from execloop._engine.walk import Stop
from execloop.controller.manager.crashes import OnLease
from execloop.kube import Census, Lease, LeaseTimes, Shards, Undivided, range_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.controller.manager.controller import Operator
    from execloop.controller.manager.crashes import SuspectRecord
    from execloop.controller.settings import Election
    from execloop.kube import Connection

__all__ = ["Leadership", "NoElection", "WhileHeld", "elect", "share"]


class Leadership(Protocol):
    """What `execloop.kube.Shards` and `Undivided` do for many; `NoElection` for one."""

    @property
    def held(self) -> bool: ...

    @property
    def problem(self) -> str:
        """What keeps it from being acquired, when that is not another holder."""
        ...

    def owns(self, uid: str) -> bool:
        """Whether the Plan of this uid is this process's to work on."""
        ...

    def holder(self, uid: str) -> str:
        """Return who works on the Plan of this uid, where it is known and not this process; else nothing."""
        ...

    def require(self) -> None:
        """Raises LeaseLost unless it is held."""
        ...

    async def acquire(self) -> None: ...

    async def keep(self) -> str:
        """Until it is lost; returns why."""
        ...

    async def release(self) -> None: ...


class NoElection:
    held = True
    problem = ""

    def owns(self, _uid: str) -> bool:
        return True

    def holder(self, _uid: str) -> str:
        return ""

    def require(self) -> None: ...

    async def acquire(self) -> None: ...

    async def keep(self) -> str:
        await asyncio.Event().wait()
        return ""

    async def release(self) -> None: ...


class WhileHeld(Stop):
    """A stop that is requested once the Lease is lost: asked before each task, so a frozen process starts none late."""

    __slots__ = ("_asked", "_held")

    def __init__(self, held: Callable[[], bool]) -> None:
        self._held = held
        super().__init__()

    @property
    def requested(self) -> bool:
        return self._asked or not self._held()

    @requested.setter
    def requested(self, asked: bool) -> None:
        self._asked = asked


def elect(connection: Connection, election: Election) -> tuple[Leadership, SuspectRecord]:
    """Return what says which Plans this process may work on, and where the suspects of crashes are written down."""
    times, base, place = LeaseTimes.lasting(election.duration), election.name, election.namespace
    if election.shards > 1:
        shards = Shards(connection, base, place, election.shards, times)
        return shards, OnLease(connection, shards.first)
    lease = Lease(connection, base, place, times)
    return Undivided(lease, Census(connection, base, place, 1, times)), OnLease(connection, lease)


def share(shards: Shards, operator: Operator, relist: Callable[[], None]) -> None:
    """Let an operator work on the ranges that this process gets, and leave those that it gives up."""

    def within(index: int) -> Callable[[str], bool]:
        return lambda uid: range_of(uid, shards.ranges) == index

    def gained(index: int) -> None:
        operator.take_back(within(index))
        relist()

    shards.gained = gained
    shards.leave = lambda index: operator.leave(within(index))
