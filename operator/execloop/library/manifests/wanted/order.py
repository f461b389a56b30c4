"""Which object comes before which: waves first, then what others need in order to be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FOUNDATIONS", "WAVE", "rank", "wave_of"]

WAVE = "execloop.dev/wave"
"""The annotation with an object's wave, a whole number; 0 without it. A wave waits for all lower ones."""

FOUNDATIONS = ("Namespace", "CustomResourceDefinition")
"""Namespaces hold objects, definitions make kinds: what needs one waits until it is ready."""

# Accounts, roles and settings are referred to.
_FIRST = (
    *FOUNDATIONS,
    "PriorityClass",
    "StorageClass",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "ClusterRole",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolumeClaim",
    "Service",
)
_LAST = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService")
_WHOLE = re.compile(r"[+-]?\d{1,6}")


def wave_of(manifest: Mapping[str, Any]) -> int:
    """Return the wave of an object. Raises ValueError that names the annotation."""
    given = (manifest["metadata"].get("annotations") or {}).get(WAVE, "0")
    if not isinstance(given, str) or not _WHOLE.fullmatch(given):
        raise ValueError(f'metadata.annotations: {WAVE} must be a whole number in quotes, such as "1"')
    return int(given)


def rank(kind: str) -> int:
    """Return the place of a kind within a wave."""
    if kind in _LAST:
        return len(_FIRST) + 1 + _LAST.index(kind)
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)
