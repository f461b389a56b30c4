"""Who a bearer token belongs to, as the API server says. Answers are kept for seconds only."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.kube import Connection

__all__ = ["AUTHENTICATED", "MOST_TOKEN_BYTES", "Identities", "Person", "is_token"]

MOST_TOKEN_BYTES: Final = 16_384
AUTHENTICATED: Final = "system:authenticated"
"""The group of all users that the API server has authenticated."""
_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_KNOWN_SECONDS, _UNKNOWN_SECONDS = 30.0, 10.0
_MOST = 1000
_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Person:
    """The user that a token belongs to, as the API server says."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    token: str = field(default="", repr=False, compare=False)
    impersonated: bool = False
    """Whether a proxy says so, and the page acts for the person by impersonation."""


def is_token(text: str) -> bool:
    """Return whether a text has the form of a bearer token (RFC 6750) and an allowed length."""
    return len(text) <= MOST_TOKEN_BYTES and _TOKEN.fullmatch(text) is not None


class Identities:
    """Asks for a TokenReview, as the operator. `audience`: one that a token needs besides the API server's own."""

    def __init__(self, connection: Connection, audience: str | None, monotonic: Callable[[], float]) -> None:
        self._connection, self._audience, self._monotonic = connection, audience, monotonic
        self._known: OrderedDict[bytes, tuple[float, Person | None]] = OrderedDict()
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def who(self, token: str) -> Person | None:
        """Return whose token it is, None when the API server does not accept it.

        Raises ApiError when the API server does not answer, or does not let the operator ask.
        """
        if not is_token(token):
            return None
        place, now = hashlib.sha256(token.encode()).digest(), self._monotonic()
        if (known := self._known.get(place)) is not None and known[0] > now:
            return known[1]
        async with self._places:
            person = await self._review(token)
        self._known[place] = now + (_UNKNOWN_SECONDS if person is None else _KNOWN_SECONDS), person
        self._known.move_to_end(place)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return person

    async def _review(self, token: str) -> Person | None:
        reviews = [self._ask(token, None)]
        if self._audience is not None:
            reviews.append(self._ask(token, self._audience))
        people = await asyncio.gather(*reviews)
        return people[0] if all(people) else None

    async def _ask(self, token: str, audience: str | None) -> Person | None:
        spec: dict[str, Any] = {"token": token, **({} if audience is None else {"audiences": [audience]})}
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        status = (await self._connection.request("POST", _REVIEWS, body=review)).get("status") or {}
        # An authenticator that knows no audiences leaves them out, and has checked none.
        if not status.get("authenticated") or (
            audience is not None and audience not in (status.get("audiences") or ())
        ):
            return None
        user = status.get("user") or {}
        extra = tuple((str(name), tuple(values)) for name, values in sorted((user.get("extra") or {}).items()))
        name = str(user.get("username") or "")
        return Person(name, str(user.get("uid") or ""), tuple(user.get("groups") or ()), extra, token) if name else None
