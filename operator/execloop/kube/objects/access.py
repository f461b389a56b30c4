"""What an account may read, by its own SelfSubjectAccessReviews.

`CachedReads` asks before it gives an answer that does not come from the API server.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from execloop.kube.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.kube.http.connection import Connection
    from execloop.kube.http.paths import Resource

__all__ = ["ReadRights"]

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_KEPT_SECONDS = 60.0
_MOST = 10_000
_Question: TypeAlias = tuple[str, str, str, str, str]


class ReadRights:
    """An answer counts for a minute, for all Plans of the account."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[_Question, tuple[bool, float]] = {}

    async def allow(
        self, connection: Connection, verb: Literal["get", "list"], resource: Resource, namespace: str
    ) -> bool:
        """Return whether who the connection acts as may do it; False when the server does not say.

        Who acts as this process itself needs no answer: the watch has the same rights. `namespace`: empty for all.
        """
        user = connection.impersonated
        if user is None:
            return True
        group = resource.api_version.rpartition("/")[0]
        question = (user, verb, group, resource.plural, namespace)
        known = self._known.get(question)
        if known is None or known[1] <= self._clock():
            if len(self._known) >= _MOST:
                self._known = {}
            known = self._known[question] = (await _ask(connection, question), self._clock() + _KEPT_SECONDS)
        return known[0]


async def _ask(connection: Connection, question: _Question) -> bool:
    _, verb, group, resource, namespace = question
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
    review: dict[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    try:
        answer = await connection.request("POST", _REVIEWS, body=review)
    except ApiError:
        return False
    return bool((answer.get("status") or {}).get("allowed"))
