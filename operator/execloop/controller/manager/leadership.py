"""Whether this process may work: while it holds a Lease, or always where it is alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from execloop._engine.walk import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Leadership", "NoElection", "WhileHeld"]


class Leadership(Protocol):
    """What `execloop.kube.Lease` does for many; `NoElection` for one."""

    @property
    def held(self) -> bool: ...

    @property
    def problem(self) -> str:
        """What keeps it from being acquired, when that is not another holder."""
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
