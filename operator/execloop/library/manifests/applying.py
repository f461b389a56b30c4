"""The tasks that make, change and replace objects, each after those that it waits for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from execloop._engine.tasks import Task
from execloop._engine.waits import Wait
from execloop.kube import ApiError
from execloop.library.manifests import diff
from execloop.library.manifests.observation import Change, Create, Fine, OnItsWay, Recreate, Refused, explained
from execloop.library.manifests.wanted.order import FOUNDATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop._plans.entry import Entry
    from execloop._plans.inventory import Inventory
    from execloop.kube import Kube
    from execloop.library.manifests.health import HealthCheck
    from execloop.library.manifests.memory import Memory
    from execloop.library.manifests.observation import Seen
    from execloop.library.manifests.wanted.wish import Wanted

__all__ = ["Apply", "ObjectsFailed", "Progress", "ReportFailures", "Tools"]

_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds between two looks at a namespace or a definition that others in the same run need."""


class ObjectsFailed(Exception):
    """Some objects cannot be applied, or have failed; the message names them."""


@dataclass(slots=True)
class Progress:
    """How far an object is in this run, for those that wait for it."""

    label: str
    obstacle: str = ""
    """Why others cannot follow yet; empty when they can."""
    started: bool = False
    """Whether a task is at it. One that has not begun when a later one does was skipped: it is not waited for."""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def passed(self) -> None:
        """Return once others can follow. Raises Wait when they cannot in this run."""
        if self.started:
            await self.done.wait()
        if self.obstacle:
            raise Wait(f"{self.label}: {self.obstacle}")

    @classmethod
    def of(cls, entry: Entry, seen: Seen) -> Progress:
        made = cls(entry.label)
        match seen:
            case Fine():
                made.done.set()
            case OnItsWay(message) | Refused(message):
                made.obstacle = message
                made.done.set()
            case _:
                made.obstacle = "it is not applied yet"
        return made


@dataclass(frozen=True, slots=True)
class Tools:
    """What each task needs."""

    kube: Kube
    memory: Memory
    inventory: Inventory
    health_check: HealthCheck


class Apply(Task):
    """Applies one object."""

    def __init__(
        self,
        one: Wanted,
        entry: Entry,
        seen: Create | Change | Recreate,
        own: Progress,
        needs: Sequence[Progress],
        tools: Tools,
    ) -> None:
        self._one, self._entry, self._seen, self._own, self._needs = one, entry, seen, own, needs
        self._tools = tools
        verb = {Create: "create", Change: "change", Recreate: "recreate"}[type(seen)]
        self.name = f"{verb} {entry.label}"

    @property
    def detail(self) -> str:
        return self._one.origin + self._difference()

    def _difference(self) -> str:
        match self._seen:
            case Create(manifest):
                return diff.created(manifest)
            case Change(_, live, applied):
                return diff.changed(live, applied)
            case Recreate(_, live, why):
                return f"{diff.deleted(live)}\n  {why}\n"

    async def perform(self) -> None:
        self._own.started = True
        try:
            await self._after_the_others()
            self._tools.inventory.add(str(self._entry))
            if isinstance(self._seen, Recreate):
                await self._delete(self._seen.live)
            await self._apply()
        except ApiError as error:
            self._own.obstacle = explained(error)
            raise ObjectsFailed(f"{self._entry.label}: {explained(error)}") from None
        except Wait as wait:
            self._own.obstacle = wait.message
            raise
        finally:
            self._own.done.set()

    async def _after_the_others(self) -> None:
        for need in self._needs:
            await need.passed()

    async def _delete(self, live: dict[str, Any]) -> None:
        entry, kube = self._entry, self._tools.kube
        place = live["apiVersion"], entry.kind, entry.name, entry.namespace or None
        self._tools.memory.forget(entry)
        await kube.delete(*place, propagation="Foreground", only=live)
        for pause in _PAUSES:
            if await kube.get(*place) is None:
                return
            await asyncio.sleep(pause)
        raise Wait(f"{entry.label}: it is being deleted; it is created again after that")

    async def _apply(self) -> None:
        tools, manifest = self._tools, self._seen.manifest
        live = await tools.kube.apply(manifest)
        health = tools.health_check.of(live)
        if health.state == "InProgress" and self._entry.kind in FOUNDATIONS:
            live, health = await self._soon(live)
        if health.state != "Current":
            self._own.obstacle = health.message
            return
        self._own.obstacle = ""
        tools.memory.remember(self._one, self._entry, live, health, applied=True)

    async def _soon(self, live: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        """Wait a moment for what is ready in a moment: others in this run need it."""
        health = self._tools.health_check.of(live)
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            found = await self._tools.kube.get(live["apiVersion"], self._entry.kind, self._entry.name)
            if found is None:
                break
            live, health = found, self._tools.health_check.of(found)
            if health.state != "InProgress":
                break
        return live, health


class ReportFailures(Task):
    """Does nothing but fail, with the objects that cannot be applied: one error for all of them."""

    def __init__(self, count: int, problems: Sequence[str], shown: str) -> None:
        objects = "object" if len(problems) == 1 else "objects"
        self.name = f"report {len(problems)} {objects} that failed"
        self._message = f"{len(problems)} of {count}: {shown}"
        self.detail = "\n".join(problems)[:3900]

    def perform(self) -> None:
        raise ObjectsFailed(self._message)
