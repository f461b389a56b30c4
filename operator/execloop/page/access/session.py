"""Cookies and form tokens, signed with a key that the replicas share: no replica stores a session.

The cookie holds the bearer token itself. A form token proves that a form was made by this page for this person.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from execloop.kube import ConfigurationError
from execloop.page.access.identity import is_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LIFETIME", "MOST_COOKIE_BYTES", "Sessions", "read_key", "read_secret"]

LIFETIME: Final = 8 * 3600
"""Seconds that a session lasts, when its token lives as long."""
MOST_COOKIE_BYTES: Final = 4000
"""Browsers keep no longer ones."""
_SHORTEST_KEY = 32


def read_key(file: Path | None) -> bytes:
    """Return the key of a file, or a new one without a file. Raises ConfigurationError."""
    return secrets.token_bytes(_SHORTEST_KEY) if file is None else read_secret(file, "the page's key file")


def read_secret(file: Path, what: str) -> bytes:
    """Return what a file has, without white space around it. Raises ConfigurationError for less than 32 bytes."""
    try:
        secret = file.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{what} {file} cannot be read: {error.strerror}") from None
    if len(secret) < _SHORTEST_KEY:
        raise ConfigurationError(f"{what} {file} has {len(secret)} bytes: it needs at least {_SHORTEST_KEY}")
    return secret


class Sessions:
    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        self._key, self._clock = key, clock

    def cookie(self, token: str) -> str:
        """Return the value of a cookie that holds a bearer token."""
        until = str(int(self._clock()) + LIFETIME)
        return f"{until}:{self._sign('cookie', until, token)}:{token}"

    def token(self, cookie: str) -> str | None:
        """Return the bearer token of a cookie, None for one that is forged or expired."""
        until, _, rest = cookie.partition(":")
        signature, _, token = rest.partition(":")
        return token if self._valid(until, signature, "cookie", token) and is_token(token) else None

    def form_token(self, name: str) -> str:
        """Return what a form of this page carries for a person of this name."""
        until = str(int(self._clock()) + LIFETIME)
        return f"{until}:{self._sign('form', until, name)}"

    def made_here(self, form_token: str, name: str) -> bool:
        """Return whether this page made the form for a person of this name, within the lifetime."""
        until, _, signature = form_token.partition(":")
        return self._valid(until, signature, "form", name)

    def _sign(self, *parts: str) -> str:
        # NUL is in no part: no two lists of parts become one text.
        return hmac.new(self._key, "\0".join(parts).encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def _valid(self, until: str, signature: str, purpose: str, subject: str) -> bool:
        wanted = self._sign(purpose, until, subject)
        same = hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))
        return same and until.isdecimal() and int(until) > self._clock()
