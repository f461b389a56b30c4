"""What a watch of this process knows of a Plan's objects, as its client asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.kube.http.connection import Connection
    from execloop.kube.http.paths import Resource

__all__ = ["Cached"]


class Cached(Protocol):
    """`plan`: the uid of the Plan that asks. A read answers None where only the API server can."""

    async def get(
        self, connection: Connection, plan: str, resource: Resource, namespace: str, name: str
    ) -> dict[str, Any] | None:
        """Return an object that carries the Plan's label."""

    async def owned(
        self, connection: Connection, plan: str, resource: Resource, namespace: str
    ) -> list[dict[str, Any]] | None:
        """Return all objects that carry the Plan's label; in all namespaces if it is empty."""

    def wrote(self, plan: str, resource: Resource, namespace: str, name: str, answer: Mapping[str, Any] | None) -> None:
        """Take note of a write: the answer to it, None where none came."""

    def deleted(self, plan: str, resource: Resource, namespace: str, name: str, uid: str | None) -> None:
        """Take note of a deletion that the server accepted; None: of an object that it did not have."""
