"""What a list and a watch answer, checked: a wrong answer must not pass for one of a Kubernetes API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeGuard

from execloop.kube.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EventType", "Identity", "Page", "checked", "identity", "nonsense", "number", "parts"]

EventType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]
Identity: TypeAlias = tuple[str, str]
"""Namespace, empty for a cluster-scoped object, and name."""

_EVENTS = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})


class Page(NamedTuple):
    """Part of a list. All pages of one list have the same version."""

    objects: list[dict[str, Any]]
    version: str | None


def identity(metadata: Mapping[str, Any]) -> Identity:
    """Return namespace and name of an object."""
    return metadata.get("namespace") or "", metadata["name"]


def parts(event: object) -> tuple[Any, dict[str, Any]]:
    """Return an event's type and object. Raises ApiError for an ERROR, and for what is not an event."""
    kind, subject = (event.get("type"), event.get("object")) if isinstance(event, dict) else (None, None)
    if kind == "ERROR" and isinstance(subject, dict):
        code = subject.get("code")
        raise ApiError.from_status(code if isinstance(code, int) else 0, subject, request="watch")
    if kind not in _EVENTS or not _has_metadata(subject, named=kind != "BOOKMARK"):
        raise nonsense()
    return kind, subject


def checked(page: Page) -> str:
    """Return the version of a page. Raises ApiError for what is not one.

    It must not pass for an empty list: all that is known would count as deleted.
    """
    if not page.version or not all(map(_has_metadata, page.objects)):
        raise nonsense()
    return page.version


def _has_metadata(subject: object, *, named: bool = True) -> TypeGuard[dict[str, Any]]:
    metadata = subject.get("metadata") if isinstance(subject, dict) else None
    return isinstance(metadata, dict) and (not named or isinstance(metadata.get("name"), str))


def nonsense() -> ApiError:
    """Return the error for what no Kubernetes API server answers."""
    return ApiError(200, "NotKubernetes", "the answer is not one of a Kubernetes API server; does a proxy send it?")


def number(version: object) -> int:
    """Return a resourceVersion as a number; 0 when it is none."""
    return int(version) if isinstance(version, str) and version.isdecimal() else 0
