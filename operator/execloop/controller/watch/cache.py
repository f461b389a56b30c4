"""What the operator holds of each Plan: the newest object, and the execution, which may be ahead of the status."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from execloop.controller.api.v1alpha1 import PlanStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop._engine.walk import Stop
    from execloop.controller.api.v1alpha1 import ExecutionStatus
    from execloop.controller.parameters.merge import Version
    from execloop.controller.reconcile.validation import Validated
    from execloop.controller.status.conditions import Stalled

__all__ = ["FINALIZER", "Cache", "Concern", "Key", "PlanState"]

FINALIZER = "execloop.dev/teardown"
_ANNOTATION = "execloop.dev/"
_LONGEST_VALUE, _LONGEST_NAME = 128, 256


class Key(NamedTuple):
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def shortened(value: str) -> str:
    """The value of an annotation, or a hash of one that is too long to be repeated in a status."""
    if len(value) <= _LONGEST_VALUE:
        return value
    return f"sha256:{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()}"


class Concern(NamedTuple):
    generation: int
    deleting: bool
    requested_at: str | None
    approve: str | None
    abandoned: bool


@dataclass(slots=True)
class PlanState:
    """One Plan, of one uid."""

    object: dict[str, Any]
    status: PlanStatus
    """As it stands in the API server."""
    execution: ExecutionStatus | None = None
    due: float | None = None
    """When the next run or observation is due, on the monotonic clock; None when that was not decided yet."""
    validation_result: tuple[int, Validated | Stalled] | None = None
    """Whether it may run, and the generation that this was decided for."""
    pending: dict[str, Any] = field(default_factory=dict)
    """Fields of the status that the next write brings along."""
    unsaved: PlanStatus | None = None
    """How the last run ended, when the API server did not take it."""
    drift: str | None = None
    """What the execution at hand repairs, when it began because of drift."""
    stop: Stop | None = None
    """Of the run that is under way."""
    failures: int = 0
    """Consecutive failures of the operator's own requests."""
    waits: int = 0
    """Consecutive reconciles that found something missing."""
    versions: tuple[Version, ...] = ()
    """Of the objects that the parameters came from, when they were read last."""
    ignored: str | None = None
    """The annotation that approves something else than what is pending, once that was told."""
    seen: bool = False
    """Whether this process has reconciled it."""

    @property
    def metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = self.object["metadata"]
        return found

    @property
    def uid(self) -> str:
        return str(self.metadata["uid"])

    @property
    def generation(self) -> int:
        return int(self.metadata.get("generation", 0))

    @property
    def deleting(self) -> bool:
        return "deletionTimestamp" in self.metadata

    @property
    def requested_at(self) -> str | None:
        """As it is kept in the status: a long one by its hash."""
        value = self._annotation("requestedAt")
        return value if value is None else shortened(value)

    @property
    def approve(self) -> str | None:
        """The digest that somebody approved."""
        return self._annotation("approve")

    @property
    def approved_by(self) -> str | None:
        """Who set it, as the API server recorded; None where its policy is not installed. A long name is cut."""
        name = self._annotation("approved-by")
        return name if name is None or len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"

    @property
    def abandoned(self) -> bool:
        """Whether somebody wants it gone without its teardown."""
        return self._annotation("abandon") == "true"

    @property
    def finalizers(self) -> list[str]:
        return list(self.metadata.get("finalizers") or ())

    def _annotation(self, name: str) -> str | None:
        value = (self.metadata.get("annotations") or {}).get(_ANNOTATION + name)
        return None if value is None else str(value)

    @property
    def draft(self) -> PlanStatus:
        """The status with what was decided and not written yet."""
        return self.status.model_copy(update=self.pending) if self.pending else self.status

    @property
    def concern(self) -> Concern:
        """What calls for a reconcile when it changes."""
        return Concern(self.generation, self.deleting, self.requested_at, self.approve, self.abandoned)

    def refresh(self, body: dict[str, Any], status: PlanStatus | None = None) -> None:
        """`status`: the body's, where that is known: to parse it again takes 3% of the CPU of a quick convergence."""
        self.object = body
        self.status = status or parse_status(body)

    def written(self, answer: dict[str, Any], status: PlanStatus | None = None) -> None:
        """Take the answer to our own write; a change of concern that came along is left to its event."""
        before, concern = self.object, self.concern
        self.refresh(answer, status)
        if self.concern != concern:
            self.object = before


def parse_status(body: dict[str, Any]) -> PlanStatus:
    """A status that somebody has spoilt counts as none: the world is looked at again."""
    try:
        return PlanStatus.model_validate(body.get("status") or {})
    except ValidationError:
        return PlanStatus()


def _version(body: dict[str, Any]) -> int:
    version = body["metadata"].get("resourceVersion", "0")
    return int(version) if version.isdigit() else 0


class Cache:
    """The newest known object of each key; an older one is dropped."""

    def __init__(self) -> None:
        self._tracks: dict[Key, PlanState] = {}

    def __len__(self) -> int:
        return len(self._tracks)

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._tracks))

    def get(self, key: Key) -> PlanState | None:
        return self._tracks.get(key)

    def put(self, key: Key, body: dict[str, Any]) -> bool:
        """Whether what matters to a reconcile has changed: spec, deletion, or the request for a reconcile."""
        body["metadata"].pop("managedFields", None)  # half of an object's size, and nobody's concern here
        track = self._tracks.get(key)
        if track is None or track.uid != body["metadata"]["uid"]:
            if track is not None and _version(body) < _version(track.object):
                return False
            if track is not None and track.stop is not None:
                track.stop.request()
            status = parse_status(body)
            self._tracks[key] = PlanState(body, status, status.execution)
            return True
        if _version(body) <= _version(track.object):
            return False
        before = track.concern
        track.refresh(body)
        return before != track.concern

    def drop(self, key: Key, uid: str | None = None) -> None:
        track = self._tracks.get(key)
        if track is None or (uid is not None and track.uid != uid):
            return
        if track.stop is not None:
            track.stop.request()
        del self._tracks[key]
