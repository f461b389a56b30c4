"""A snapshot in a few hundred bytes, which the cache holds while nothing works on the Plan.

`PlanState` packs and unpacks it.
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from execloop.controller.watch.snapshot import Snapshot, parse_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.controller.api.v1alpha1 import PlanStatus
    from execloop.controller.watch.snapshot import Key

__all__ = ["Conditions", "Packed", "conditions_of"]

Conditions: TypeAlias = tuple[tuple[str, str], ...]
"""The type and the status of each condition."""

_known: dict[Conditions, Conditions] = {}
"""Each once: they are few, and Plans are many."""


def conditions_of(status: PlanStatus) -> Conditions:
    """Return the type and the status of each condition, the same tuple for the same conditions."""
    found = tuple((condition.type, condition.status) for condition in status.conditions)
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
    def of(cls, snapshot: Snapshot) -> Packed | None:
        """Return the snapshot packed; None when its status is ahead of the stored one, or it is too deep to pack."""
        stored = snapshot.stored
        if snapshot.status is not stored and snapshot.status != stored:
            return None
        try:
            content = marshal.dumps((snapshot.spec, stored.to_json()))
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
