"""Where the Authorization header and the client certificate come from, and when they are read again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from execloop.kube.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["ClientCertificate", "Credential", "Credentials", "RenewableCredentials", "StaticCredentials", "token_file"]

# Bound service-account tokens rotate on disk well before they expire; every Kubernetes client reads them each minute.
TOKEN_FILE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Both in PEM."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request is made with. `expires_at`: seconds since the epoch, None never."""

    authorization: str | None = field(default=None, repr=False)
    certificate: ClientCertificate | None = None
    expires_at: float | None = None


class Credentials(Protocol):
    """Safe to use from many threads."""

    def fresh(self) -> Credential | None:
        """What is known and still good, without waiting for anything."""
        ...

    def renew(self, rejected: Credential | None) -> Credential:
        """Something other than what the server rejected, when there is such a thing. May block.

        Raises ConfigurationError when there is nothing to go by.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    credential: Credential = field(default_factory=Credential)

    def fresh(self) -> Credential | None:
        return self.credential

    def renew(self, rejected: Credential | None) -> Credential:  # noqa: ARG002 - there is never another one
        return self.credential


class RenewableCredentials:
    """Asks `source`, which may block, when an answer expired or was rejected; keeps the old one while that fails."""

    def __init__(self, source: Callable[[], Credential], clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: Credential | None = None

    def fresh(self) -> Credential | None:
        latest = self._latest
        if latest is None or (latest.expires_at is not None and latest.expires_at <= self._clock()):
            return None
        return latest

    def renew(self, rejected: Credential | None) -> Credential:
        with self._lock:
            fresh = self.fresh()
            if fresh is not None and fresh is not rejected:
                return fresh  # another request was rejected too, and came first
            try:
                self._latest = self._source()
            except ConfigurationError:
                if self._latest is None:
                    raise
            return self._latest


def token_file(
    path: Path, certificate: ClientCertificate | None = None, clock: Callable[[], float] = time.time
) -> RenewableCredentials:
    """A bearer token that another program rotates in a file."""

    def read() -> Credential:
        try:
            token = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ConfigurationError(f"the token file {path} cannot be read: {reason}") from None
        if not token:
            raise ConfigurationError(f"the token file {path} is empty")
        return Credential(f"Bearer {token}", certificate, expires_at=clock() + TOKEN_FILE_SECONDS)

    return RenewableCredentials(read, clock)
