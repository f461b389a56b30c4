"""What a person may see, by SubjectAccessReviews that the operator asks for. Answers are kept for seconds only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from execloop.kube import Connection
    from execloop.page.access.identity import Person

__all__ = ["Rights", "Visible"]

_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_SECONDS = 20.0
_MOST = 20_000
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Visible:
    """The namespaces whose Plans a person may list; None for all of them."""

    namespaces: frozenset[str] | None

    def __contains__(self, namespace: str) -> bool:
        return self.namespaces is None or namespace in self.namespaces


class Rights:
    def __init__(self, connection: Connection, monotonic: Callable[[], float]) -> None:
        self._connection, self._monotonic = connection, monotonic
        self._known: dict[tuple[Person, str, str], tuple[float, bool]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def visible(self, person: Person, namespaces: Iterable[str]) -> Visible:
        """Return which of these namespaces a person may list the Plans of. Raises ApiError."""
        if await self.may(person, "list"):
            return Visible(None)
        wanted = list(namespaces)
        allowed = await asyncio.gather(*(self.may(person, "list", namespace) for namespace in wanted))
        return Visible(frozenset(name for name, yes in zip(wanted, allowed, strict=True) if yes))

    async def may(self, person: Person, verb: str, namespace: str = "") -> bool:
        """Return whether a person may do this to Plans of a namespace, "" for every one. Raises ApiError."""
        question, now = (person, verb, namespace), self._monotonic()
        if (known := self._known.get(question)) is not None and known[0] > now:
            return known[1]
        async with self._places:
            allowed = await self._ask(person, verb, namespace)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[question] = now + _SECONDS, allowed
        return allowed

    async def _ask(self, person: Person, verb: str, namespace: str) -> bool:
        attributes = {"group": "execloop.dev", "resource": "plans", "verb": verb, "namespace": namespace}
        spec: dict[str, Any] = {"user": person.name, "groups": list(person.groups), "resourceAttributes": attributes}
        if person.uid:
            spec["uid"] = person.uid
        if person.extra:
            spec["extra"] = {name: list(values) for name, values in person.extra}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        status = (await self._connection.request("POST", _REVIEWS, body=review)).get("status") or {}
        return status.get("allowed") is True
