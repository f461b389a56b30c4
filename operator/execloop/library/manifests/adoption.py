"""Whether an object that this plan did not make may be taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.kube import Owner

__all__ = ["refusal"]

_MARKS: Final = (
    ("annotations", "meta.helm.sh/release-name", "Helm"),
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux"),
)
_PEOPLE: Final = "kubectl"
"""The field manager of `kubectl apply --server-side`: a person, who does not take it back."""


def refusal(live: Mapping[str, Any], owner: Owner, adopt: str) -> str | None:
    """Return why an object must not be taken over; None when it may, or is this plan's own."""
    if adopt == "Force" or owner.holds(live):
        return None
    if adopt == "Never":
        return "it exists already and is not this plan's: delete it, or set adopt to IfUnowned or Force"
    if (other := _manager(live)) is not None:
        return f"{other} manages it: take it out of there first, or set adopt: Force"
    return None


def _manager(live: Mapping[str, Any]) -> str | None:
    metadata = live["metadata"]
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            return f"{reference.get('kind')} {reference.get('name')}"
    for field, key, tool in _MARKS:
        if value := (metadata.get(field) or {}).get(key):
            return f"{tool} ({value})"
    for entry in metadata.get("managedFields") or ():
        if entry.get("operation") == "Apply" and entry.get("manager") != _PEOPLE and not entry.get("subresource"):
            return f"the field manager {entry.get('manager')!r}"
    return None
