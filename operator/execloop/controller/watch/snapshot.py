"""A Plan at one moment, frozen: what a reconcile works on, and what its status is about.

The cache makes one from each object of the watch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from pydantic import ValidationError

from execloop.controller.api.v1alpha1 import API_VERSION, KIND, PlanStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.controller.api.v1alpha1 import ExecutionStatus

__all__ = [
    "FINALIZER",
    "Concern",
    "ExecutionIdentity",
    "Key",
    "Snapshot",
    "identity_of",
    "latest",
    "of_metadata",
    "parse_status",
    "shortened",
]

FINALIZER: Final = "execloop.dev/teardown"
_ANNOTATION = "execloop.dev/"
_ABOUT_STEPS = ("retry", "skip")
_LONGEST_VALUE, _LONGEST_NAME = 128, 256


class Key(NamedTuple):
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def shortened(value: str) -> str:
    """Return the value of an annotation, or a hash of one that is too long to be repeated in a status."""
    if len(value) <= _LONGEST_VALUE:
        return value
    return f"sha256:{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()}"


class Concern(NamedTuple):
    """What calls for a reconcile when it changes."""

    generation: int
    deleting: bool
    requested_at: str | None
    approve: str | None
    abandoned: bool
    suspend_until: str | None
    preview: str | None
    retry: str | None
    skip: str | None


ExecutionIdentity: TypeAlias = tuple[str, int, int] | None
"""Id, runs and errors of an execution: another process that works on the Plan changes one of them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`stored` is the status in the API server; `status` is ahead of it while a decision waits to be written."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    spec: Any
    """As the API server holds it, not validated."""
    deleting: bool
    finalizers: tuple[str, ...]
    annotations: Mapping[str, str]
    """Those of execloop, without their prefix."""
    stored: PlanStatus
    status: PlanStatus

    @classmethod
    def of(cls, body: Mapping[str, Any], status: PlanStatus | None = None) -> Snapshot:
        """`status` is the one ahead; without it the stored one."""
        key, uid, generation, version, deleting, finalizers, annotations = of_metadata(body["metadata"])
        stored = parse_status(body)
        ahead = stored if status is None else status
        return cls(key, uid, generation, version, body.get("spec"), deleting, finalizers, annotations, stored, ahead)

    def ahead(self, status: PlanStatus) -> Snapshot:
        """Return the snapshot with a status that waits to be written."""
        return Snapshot(
            self.key,
            self.uid,
            self.generation,
            self.resource_version,
            self.spec,
            self.deleting,
            self.finalizers,
            self.annotations,
            self.stored,
            status,
        )

    @property
    def execution(self) -> ExecutionStatus | None:
        return self.status.execution

    @property
    def requested_at(self) -> str | None:
        """Return the value as the status keeps it: a long one by its hash."""
        value = self.annotations.get("requestedAt")
        return value if value is None else shortened(value)

    @property
    def requested(self) -> tuple[str | None, ...]:
        """Return the values of the annotations that ask for a new execution."""
        return self.requested_at, *(self.annotations.get(kind) for kind in _ABOUT_STEPS)

    @property
    def approve(self) -> str | None:
        """Return the digest that the annotation approves."""
        return self.annotations.get("approve")

    @property
    def approved_by(self) -> str | None:
        """Return who approved, as the API server recorded, a long name cut; None where its policy is not installed."""
        return self._short("approved-by")

    @property
    def requested_by(self) -> str | None:
        """Return who asked to retry or to skip a step; the API server vouches for it where its policy is installed."""
        return self._short("request-by")

    @property
    def request_reason(self) -> str | None:
        """Return why, in their words."""
        return self._short("request-reason")

    def _short(self, annotation: str) -> str | None:
        text = self.annotations.get(annotation)
        return text if text is None or len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"

    @property
    def abandoned(self) -> bool:
        """Return whether the Plan is to go without its teardown."""
        return self.annotations.get("abandon") == "true"

    @property
    def step_request(self) -> str | None:
        """Return `retry STEP` or `skip STEP`, as an annotation asks; None unless it names the execution at hand."""
        for kind in _ABOUT_STEPS:
            step, _, execution = self.annotations.get(kind, "").rpartition("@")
            asked = self.execution is not None and execution == self.execution.id
            if step and len(step) <= _LONGEST_VALUE and asked:
                return f"{kind} {step}"
        return None

    @property
    def preview(self) -> str | None:
        """Return the value of the annotation that asks what a run would do, as the status keeps it."""
        value = self.annotations.get("preview")
        return value if value is None else shortened(value)

    @property
    def concern(self) -> Concern:
        of_steps = (self.annotations.get(kind) for kind in _ABOUT_STEPS)
        until = self.annotations.get("suspend-until")
        asked = (self.requested_at, self.approve, self.abandoned, until, self.preview)
        return Concern(self.generation, self.deleting, *asked, *of_steps)

    @property
    def version(self) -> int:
        """Return the resourceVersion as a number; 0 when it is none."""
        return int(self.resource_version) if self.resource_version.isdigit() else 0

    def as_object(self) -> dict[str, Any]:
        """Return the parts of the object that kstatus reads."""
        metadata = {"namespace": self.key.namespace, "name": self.key.name, "generation": self.generation}
        if self.deleting:
            metadata["deletionTimestamp"] = "now"
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "status": self.stored.to_json()}


def of_metadata(
    metadata: Mapping[str, Any],
) -> tuple[Key, str, int, str, bool, tuple[str, ...], dict[str, str]]:
    """Return key, uid, generation, resourceVersion, whether it is being deleted, finalizers, execloop's annotations."""
    return (
        Key(metadata.get("namespace", ""), metadata["name"]),
        str(metadata["uid"]),
        int(metadata.get("generation", 0)),
        str(metadata.get("resourceVersion", "")),
        "deletionTimestamp" in metadata,
        tuple(metadata.get("finalizers") or ()),
        {
            name.removeprefix(_ANNOTATION): str(value)
            for name, value in (metadata.get("annotations") or {}).items()
            if name.startswith(_ANNOTATION)
        },
    )


def identity_of(status: PlanStatus) -> ExecutionIdentity:
    execution = status.execution
    return None if execution is None else (execution.id, execution.runs, execution.errors)


def latest(status: PlanStatus) -> float:
    """Return the newest moment that a status names, in seconds since the epoch; 0 when it names none."""
    execution = status.execution
    moments = [condition.last_transition_time for condition in status.conditions]
    if execution is not None:
        moments += [moment for moment in (execution.started_at, execution.finished_at) if moment is not None]
    return max((moment.timestamp() for moment in moments), default=0.0)


def parse_status(body: Mapping[str, Any]) -> PlanStatus:
    """Return the status of an object; one that does not validate counts as none, so the world is observed again."""
    try:
        return PlanStatus.model_validate(body.get("status") or {})
    except ValidationError:
        return PlanStatus()
