"""A snapshot in a few hundred bytes, which the cache holds while nothing works on the Plan.

`PlanState` packs and unpacks it.
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from execloop.controller.watch.snapshot import Snapshot, of_metadata, parse_status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from execloop.controller.api.v1alpha1 import PlanStatus
    from execloop.controller.watch.snapshot import Key

__all__ = ["Conditions", "Packed", "conditions_of"]

Conditions: TypeAlias = tuple[tuple[str, str], ...]
"""The type and the status of each condition."""

_known: dict[Conditions, Conditions] = {}
"""Each once: they are few, and Plans are many."""


def conditions_of(status: PlanStatus) -> Conditions:
    """Return the type and the status of each condition, the same tuple for the same conditions."""
    return _shared(tuple((condition.type, condition.status) for condition in status.conditions))


def _shared(found: Conditions) -> Conditions:
    return _known.setdefault(found, found) if len(_known) < 1000 else found  # noqa: PLR2004 - a bound, no more


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """What a snapshot says, where `status` is the stored one."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    finalizers: tuple[str, ...]
    annotations: Mapping[str, str] | None
    conditions: Conditions
    content: bytes

    @classmethod
    def of(cls, snapshot: Snapshot, written: dict[str, Any] | None = None) -> Packed | None:
        """Return the snapshot packed; None when its status is ahead of the stored one, or it is too deep to pack.

        `written`: the stored status in JSON, where that is at hand.
        """
        stored = snapshot.stored
        if snapshot.status is not stored and snapshot.status != stored:
            return None
        try:
            content = marshal.dumps((snapshot.spec, stored.to_json() if written is None else written))
        except ValueError:
            return None
        return cls(
            snapshot.key,
            snapshot.uid,
            snapshot.generation,
            snapshot.resource_version,
            snapshot.deleting,
            snapshot.finalizers,
            snapshot.annotations or None,
            conditions_of(stored),
            content,
        )

    @classmethod
    def found(cls, body: Mapping[str, Any]) -> Packed | None:
        """Return an object of a list packed, its status unread until it is unpacked; None as for `of`.

        A list may have 100,000 objects, and a new Plan waits for each of them.
        """
        status = body.get("status") or {}
        try:
            conditions = tuple((str(one["type"]), str(one["status"])) for one in status.get("conditions") or ())
            content = marshal.dumps((body.get("spec"), status))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None  # too deep, or a status that counts as none
        key, uid, generation, version, deleting, finalizers, annotations = of_metadata(body["metadata"])
        return cls(
            key, uid, generation, version, deleting, finalizers, annotations or None, _shared(conditions), content
        )

    def unpacked(self) -> Snapshot:
        """Return the snapshot."""
        spec, status = marshal.loads(self.content)  # noqa: S302 - this process wrote it, and it never left its memory
        stored = parse_status({"status": status})
        return Snapshot(
            self.key,
            self.uid,
            self.generation,
            self.resource_version,
            spec,
            self.deleting,
            self.finalizers,
            self.annotations or {},
            stored,
            stored,
        )
