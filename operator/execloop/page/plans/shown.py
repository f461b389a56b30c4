"""A Plan as its YAML is shown: what the API server stores, without what only machines read. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from execloop.resource.fields import Plan

__all__ = ["as_stored"]

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_ORDER: Final = ("apiVersion", "kind", "metadata", "spec", "status")


def as_stored(plan: Plan) -> dict[str, Any]:
    """Return a Plan without managedFields and without the copy that `kubectl apply` leaves in an annotation."""
    metadata = {name: value for name, value in plan["metadata"].items() if name != "managedFields"}
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {name: value for name, value in annotations.items() if name != _LAST_APPLIED}
    shown = {**plan, "metadata": metadata}
    return {name: shown[name] for name in _ORDER if name in shown}
