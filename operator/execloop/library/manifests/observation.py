"""What the cluster says of one object: as it should be, to be made, to be changed, on its way, or refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from execloop.kube import ApiError, Drifted, Missing
from execloop.library.manifests.adoption import refusal
from execloop.library.manifests.wanted.ignored import keep_live

if TYPE_CHECKING:
    from execloop._plans.entry import Entry
    from execloop.kube import Health, Kube
    from execloop.library.manifests.health import HealthCheck
    from execloop.library.manifests.memory import Memory
    from execloop.library.manifests.wanted.parameters import Parameters
    from execloop.library.manifests.wanted.wish import Wanted

__all__ = ["Change", "Create", "Fine", "OnItsWay", "Recreate", "Refused", "Seen", "Viewer", "explained"]

_INVALID = 422
_FIXED = ("immutable", "updates to ", "may not be changed", "cannot be changed")
_BEING_DELETED = "it is being deleted; it is created again after that"


@dataclass(frozen=True, slots=True)
class Fine:
    """It is as it should be, and healthy."""


@dataclass(frozen=True, slots=True)
class Create:
    """It does not exist."""

    manifest: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """Applying would change it."""

    manifest: dict[str, Any] = field(repr=False)
    live: dict[str, Any] = field(repr=False)
    applied: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recreate:
    """A field that cannot be changed differs."""

    manifest: dict[str, Any] = field(repr=False)
    live: dict[str, Any] = field(repr=False)
    why: str


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """It was applied, and is not healthy yet."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be applied, or has failed."""

    message: str


Seen: TypeAlias = Fine | Create | Change | Recreate | OnItsWay | Refused


class Viewer:
    """Looks at one object after another, with as few requests as will do."""

    def __init__(self, kube: Kube, parameters: Parameters, memory: Memory, health_check: HealthCheck) -> None:
        self._kube, self._parameters, self._memory, self._health_check = kube, parameters, memory, health_check

    async def look(self, one: Wanted, entry: Entry) -> Seen:
        """Return what is to be done about an object. No error of the server is raised."""
        health = await self._memory.health(one, entry)
        if health is not None:
            return _by_health(health)
        try:
            return await self._look(one, entry)
        except ApiError as error:
            if _is_fixed(error) and (live := await self._live(entry, one)) is not None:
                return self._fixed(one, live, error)
            return Refused(explained(error))
        except ValueError as error:
            return Refused(str(error))

    async def _look(self, one: Wanted, entry: Entry) -> Seen:
        manifest = one.manifest
        if one.ignored and (live := await self._live(entry, one)) is not None:
            manifest = keep_live(manifest, live, one.ignored)
        found = await self._kube.compare(manifest)
        if isinstance(found, Missing):
            if found.refusal is not None:
                raise found.refusal
            return Create(one.manifest)
        if (why := refusal(found.live, self._kube.owner, self._parameters.adopt)) is not None:
            return Refused(why)
        if "deletionTimestamp" in found.live["metadata"]:
            return OnItsWay(_BEING_DELETED)
        if isinstance(found, Drifted):
            return Change(manifest, found.live, found.applied)
        health = self._health_check.of(found.live)
        self._memory.remember(one, entry, found.live, health, applied=False)
        return _by_health(health)

    def _fixed(self, one: Wanted, live: dict[str, Any], error: ApiError) -> Seen:
        if (why := refusal(live, self._kube.owner, self._parameters.adopt)) is not None:
            return Refused(why)
        if "deletionTimestamp" in live["metadata"]:
            return OnItsWay(_BEING_DELETED)
        if self._parameters.recreate:
            return Recreate(one.manifest, live, explained(error))
        return Refused(f"{explained(error)}; with recreate: true it is deleted and made again")

    async def _live(self, entry: Entry, one: Wanted) -> dict[str, Any] | None:
        try:
            return await self._kube.get(one.manifest["apiVersion"], entry.kind, entry.name, entry.namespace or None)
        except ApiError:
            return None


def _by_health(health: Health) -> Seen:
    match health.state:
        case "Current":
            return Fine()
        case "Failed":
            return Refused(f"it failed: {health.message}")
        case _:
            return OnItsWay(health.message)


def _is_fixed(error: ApiError) -> bool:
    return error.status == _INVALID and any(word in error.message for word in _FIXED)


def explained(error: ApiError) -> str:
    """Return the server's words, without what the caller says anyway."""
    return error.message or error.reason
