"""What wakes the stream of a Plan's page: a change of any Plan, and what its tasks do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from execloop.page.site import Site

__all__ = ["PlanFeed"]

_Version: TypeAlias = tuple[int, str, int]


@dataclass(frozen=True, slots=True)
class PlanFeed:
    site: Site
    namespace: str
    name: str

    @property
    def uid(self) -> str:
        """The uid that the Plan of this name has now; empty without one."""
        found = self.site.store.get(self.namespace, self.name)
        return "" if found is None else found.uid

    @property
    def runs(self) -> tuple[str, int]:
        return self.uid, self.site.runs.version(self.uid)

    @property
    def version(self) -> _Version:
        return self.site.version, *self.runs

    async def newer(self, version: _Version) -> None:
        plans, uid, runs = version
        waits = {
            asyncio.create_task(self.site.newer(plans)),
            asyncio.create_task(self.site.runs.newer(uid, runs)),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
