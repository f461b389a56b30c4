"""The one range of an operator that does not divide the Plans: its Lease, beside those of a division that ends."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from execloop.kube.errors import ApiError, LeaseLost

if TYPE_CHECKING:
    from execloop.kube.lease.census import Census
    from execloop.kube.lease.lease import Lease

__all__ = ["Undivided"]

logger = logging.getLogger(__name__)


class Undivided:
    """A Lease that counts only while no Lease of a range is held: so `--shards` changes with no Plan owned twice."""

    def __init__(self, lease: Lease, census: Census) -> None:
        self._lease, self._census = lease, census
        self._waits_for = ""
        self._may_look = True
        self._alone = False
        """Whether a look after the Lease was taken found no other division."""

    def __str__(self) -> str:
        return str(self._lease)

    @property
    def held(self) -> bool:
        """Return whether this process may work."""
        return self._alone and self._lease.held

    @property
    def problem(self) -> str:
        """Return what keeps it from being acquired, when that is not another holder."""
        if self._waits_for:
            return f"the Lease {self._waits_for} is held: this operator waits until the Plans are no longer divided"
        return self._lease.problem

    def owns(self, _uid: str) -> bool:
        """Return that every Plan is its own."""
        return True

    def holder(self, _uid: str) -> str:
        """Return who held the Lease when it was looked at last; empty when that is this process."""
        return "" if self._lease.held else self._lease.holder

    def require(self) -> None:
        """Raise LeaseLost unless it is held."""
        if not self.held:
            raise LeaseLost(f"the Lease {self} is not held")

    async def acquire(self) -> None:
        """Wait until it is held and nothing else is, however long that takes."""
        while True:
            if not await self._divided():
                await self._lease.acquire()
                self._alone = not await self._divided()
                if self._alone:
                    return
                await self._lease.release()
            await asyncio.sleep(self._lease.times.retry)

    async def keep(self) -> str:
        """Renew it until it is lost; return why."""
        return await self._lease.keep()

    async def release(self) -> None:
        """Let the next one have it at once."""
        await self._lease.release()

    async def _divided(self) -> bool:
        """Return whether Leases of ranges are held, or may be. Without the right to list them it does not look."""
        if not self._may_look:
            return False
        try:
            self._waits_for = (await self._census.look()).others
        except ApiError as error:
            if error.forbidden:
                logger.info("Leases may not be listed: do not change --shards while operators run (%s)", error)
                self._may_look = False
                return False
            logger.warning("the Leases: %s; trying again", error)
            return True
        return bool(self._waits_for)
