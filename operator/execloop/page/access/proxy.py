"""Who asks, as a trusted proxy says: for people whose tokens the API server does not accept.

The proxy proves itself with a secret that it shares with the page. Its headers count for nothing without it.
"""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING, Final

from execloop.page.access.identity import AUTHENTICATED, Person
from execloop.page.access.session import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from multidict import CIMultiDictProxy

__all__ = ["GROUP", "SECRET", "USER", "Proxy", "Refused"]

logger = logging.getLogger(__name__)

USER: Final = "X-Remote-User"
GROUP: Final = "X-Remote-Group"
"""Once for each group, or once with commas between them."""
SECRET: Final = "X-Proxy-Secret"  # noqa: S105 - the name of a header
_OF_KUBERNETES: Final = "system:"
_LONGEST, _MOST_GROUPS = 256, 200
_QUIET_SECONDS = 60.0


class Refused(Exception):
    """A request says who asks in a way that does not count; the message says why."""


class Proxy:
    """`prefix` stands before each name of a user or a group: none is then one of Kubernetes or of another issuer."""

    def __init__(self, secret: bytes, prefix: str, monotonic: Callable[[], float]) -> None:
        self._secret, self._prefix, self._monotonic = secret, prefix, monotonic
        self._quiet_until = 0.0

    @classmethod
    def of(cls, file: Path, prefix: str, monotonic: Callable[[], float]) -> Proxy:
        """Read the secret. Raises ConfigurationError."""
        return cls(read_secret(file, "the file of --page-impersonate"), prefix, monotonic)

    def person(self, headers: CIMultiDictProxy[str]) -> Person | None:
        """Return the person that the proxy names, None for a request that is not of a proxy. Raises Refused."""
        given = headers.getall(SECRET, [])
        if not given and not headers.keys() & {USER, GROUP}:
            return None
        if len(given) != 1 or not hmac.compare_digest(given[0].encode("utf-8", "replace"), self._secret):
            raise self._refused("This request says who asks, and does not come from the proxy that the page trusts.")
        users = headers.getall(USER, [])
        if len(users) != 1:
            raise self._refused(f"The proxy should name one user in {USER}.")
        groups = [one.strip() for line in headers.getall(GROUP, []) for one in line.split(",") if one.strip()]
        if len(groups) > _MOST_GROUPS:
            raise self._refused(f"The proxy names over {_MOST_GROUPS} groups.")
        names = tuple(map(self._name, groups))
        return Person(self._name(users[0]), groups=(*names, AUTHENTICATED), impersonated=True)

    def _name(self, given: str) -> str:
        name = f"{self._prefix}{given}"
        if not given or len(name) > _LONGEST or not name.isprintable():
            raise self._refused("The proxy names a user or a group that is empty, too long, or not printable.")
        if name.startswith(_OF_KUBERNETES):
            raise self._refused("The proxy names a user or a group of Kubernetes, which begins with `system:`.")
        return name

    def _refused(self, why: str) -> Refused:
        """Return the exception, and log it: at most once a minute, for a peer may send many."""
        if self._monotonic() >= self._quiet_until:
            self._quiet_until = self._monotonic() + _QUIET_SECONDS
            logger.warning("the page refuses a request: %s", why)
        return Refused(why)
