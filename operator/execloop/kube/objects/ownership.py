"""Whose an object is: the field manager and the label that server-side apply leaves on it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PART_LABEL", "PLAN_UID_LABEL", "Owner", "field_manager"]

PLAN_UID_LABEL = "execloop.dev/plan-uid"
PART_LABEL = "execloop.dev/part"
"""Which part of a Plan of plans an object belongs to."""

_PREFIX = "execloop/"
_LONGEST_MANAGER = 128
_HASH_DIGITS = 32


def field_manager(namespace: str, name: str) -> str:
    """A Plan's field manager. The `~` before the hash is in no name, so a shortened one is never a full one."""
    manager = f"{_PREFIX}{namespace}/{name}"
    if len(manager) <= _LONGEST_MANAGER:
        return manager
    digest = hashlib.sha256(manager.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{manager[: _LONGEST_MANAGER - _HASH_DIGITS - 1]}~{digest}"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who applies. `uid`: the Plan's, None for an applier that is not a Plan: it takes objects without marking them."""

    manager: str = "execloop"
    uid: str | None = None
    part: str = ""
    """Of a Plan; only with a uid."""

    @classmethod
    def plan(cls, namespace: str, name: str, uid: str) -> Owner:
        return cls(field_manager(namespace, name), uid)

    @property
    def claimant(self) -> str:
        """For messages."""
        return self.manager if self.uid is None else f"Plan {self.manager.removeprefix(_PREFIX)}"

    def mark(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """A copy with the Plan's label: two Plans differ in its value, so they conflict whatever else they ask for."""
        if self.uid is None:
            return dict(wanted)
        metadata = wanted["metadata"]
        labels = {**(metadata.get("labels") or {}), **self._labels}
        return {**wanted, "metadata": {**metadata, "labels": labels}}

    def holds(self, live: Mapping[str, Any]) -> bool:
        """Return whether an object is this owner's: it carries the Plan's label, or was applied by its manager."""
        return self.marked(live) or (self._applied(live) and self.rival(live) is None)

    def marked(self, live: Mapping[str, Any]) -> bool:
        """Return whether an object may be deleted as this owner's: it carries the Plan's label.

        A label with another value says that it belongs to another Plan by now. An owner without a uid has no
        label, and goes by its manager.
        """
        if self.uid is None:
            return self._applied(live)
        return self._labels.items() <= (live["metadata"].get("labels") or {}).items()

    def wrote(self, live: Mapping[str, Any]) -> bool:
        """Return whether this owner's manager created, applied or changed an object."""
        return any(entry.get("manager") == self.manager for entry in live["metadata"].get("managedFields") or ())

    @property
    def selector(self) -> str | None:
        """Return what selects the owner's objects; None for an owner that marks none."""
        return ",".join(f"{name}={value}" for name, value in self._labels.items()) or None

    @property
    def _labels(self) -> dict[str, str]:
        if self.uid is None:
            return {}
        return {PLAN_UID_LABEL: self.uid, **({PART_LABEL: self.part} if self.part else {})}

    def _applied(self, live: Mapping[str, Any]) -> bool:
        entries = live["metadata"].get("managedFields") or ()
        return any(entry.get("manager") == self.manager and entry.get("operation") == "Apply" for entry in entries)

    def rival(self, live: Mapping[str, Any]) -> str | None:
        """The other Plan that an object belongs to, as `namespace/name`.

        A Plan that was deleted and made again has another uid and the same manager: that is not a rival. A label
        that no Plan set is drift like any other.
        """
        metadata = live["metadata"]
        uid = (metadata.get("labels") or {}).get(PLAN_UID_LABEL)
        if uid is None or uid == self.uid:
            return None
        for entry in metadata.get("managedFields") or ():
            manager = str(entry.get("manager", ""))
            if manager.startswith(_PREFIX) and manager != self.manager and _owns_label(entry):
                return manager.removeprefix(_PREFIX)
        return None


def _owns_label(entry: Mapping[str, Any]) -> bool:
    labels = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:labels", {})
    return f"f:{PLAN_UID_LABEL}" in labels
