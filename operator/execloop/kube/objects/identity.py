"""What names an object: checked before anything is sent, since these errors are the plan author's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Identity", "identify"]


class Identity(NamedTuple):
    api_version: str
    kind: str
    name: str
    namespace: str | None


def identify(wanted: Mapping[str, Any]) -> Identity:
    """Raises ValueError that names the field."""
    _require(isinstance(wanted, dict), f"an object must be a dict, not {type(wanted).__name__}")
    for field in ("apiVersion", "kind"):
        _require(_is_text(wanted.get(field)), f"{field} of an object must be non-empty text")
    kind, metadata = wanted["kind"], wanted.get("metadata")
    _require(isinstance(metadata, dict), f"metadata of a {kind} must be a mapping with a name")
    assert metadata is not None
    name, namespace = metadata.get("name"), metadata.get("namespace")
    _require(_is_text(name), f"metadata.name of a {kind} must be non-empty text")
    _require(namespace is None or _is_text(namespace), f"metadata.namespace of {kind} {name} must be non-empty text")
    labels = metadata.get("labels")
    _require(labels is None or isinstance(labels, dict), f"metadata.labels of {kind} {name} must be a mapping")
    return Identity(wanted["apiVersion"], kind, name, namespace)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
