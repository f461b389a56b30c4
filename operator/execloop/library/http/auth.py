"""Who asks: Basic, a bearer token, OAuth 2 client credentials, a certificate. Only a granted token is kept."""

from __future__ import annotations

import base64
import hashlib
import ssl
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, urlencode

from yarl import URL

from execloop.library.http.client import Request
from execloop.library.http.errors import BadAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.library.http.client import Client
    from execloop.library.http.parameters import Parameters

__all__ = ["Auth", "secrets_of", "tls_of"]

_EARLY: Final = 30.0
_UNSAID: Final = 300.0
_KEPT: Final = 1024


class _Tokens:
    """Those that were granted, in memory, until shortly before they expire."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def get(self, key: str) -> str | None:
        with self._lock:
            token, until = self._known.get(key, ("", 0.0))
            return token if until > time.monotonic() else None

    def put(self, key: str, token: str, seconds: float) -> None:
        with self._lock:
            self._known[key] = token, time.monotonic() + seconds - _EARLY
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

    def forget(self, key: str) -> None:
        with self._lock:
            self._known.pop(key, None)


_tokens = _Tokens()


class Auth:
    """The credentials of one Plan, as its parameters have them in this run."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        given = [parameters.username, *sorted(filter(None, secrets_of(parameters)))]
        self.identity = hashlib.sha256("\0".join(map(str, given)).encode()).hexdigest()

    @property
    def renewable(self) -> bool:
        """Whether another token may do where one was refused."""
        return self._parameters.oauth2 is not None

    def forget(self) -> None:
        """Ask for another token the next time."""
        _tokens.forget(self._key)

    async def headers(self, client: Client) -> Mapping[str, str]:
        """Return the headers that say who asks."""
        given = self._parameters
        if given.oauth2 is not None:
            return {"Authorization": f"Bearer {await self._token(client)}"}
        if given.token is not None:
            return {"Authorization": f"Bearer {given.token.strip()}"}
        if given.username is not None:
            return {"Authorization": f"Basic {_basic(given.username, given.password or '')}"}
        return {}

    @property
    def _key(self) -> str:
        settings = self._parameters.oauth2
        return f"{settings.token_url if settings else ''} {settings.scope if settings else ''} {self.identity}"

    async def _token(self, client: Client) -> str:
        token = _tokens.get(self._key)
        if token is None:
            token, seconds = await self._granted(client)
            _tokens.put(self._key, token, seconds)
        client.hide(token)
        return token

    async def _granted(self, client: Client) -> tuple[str, float]:
        given, settings = self._parameters, self._parameters.oauth2
        assert settings is not None
        fields = {"grant_type": "client_credentials", "scope": settings.scope, "audience": settings.audience}
        body = urlencode({name: value for name, value in fields.items() if value}).encode()
        basic = _basic(quote_plus(given.client_id or ""), quote_plus(given.client_secret or ""))
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        answer = await client.send(Request("POST", URL(settings.token_url), headers, body))
        granted = answer.json if isinstance(answer.json, dict) else {}
        token, seconds = granted.get("access_token"), granted.get("expires_in", _UNSAID)
        if not isinstance(token, str) or not token or not token.isprintable() or not isinstance(seconds, int | float):
            raise BadAnswer(f"{settings.token_url.partition('?')[0]} granted no access_token")
        return token, float(seconds)


def _basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def secrets_of(parameters: Parameters) -> frozenset[str]:
    """Return the texts that no message may have."""
    given = parameters
    known = {given.password, given.token, given.client_secret, given.key, *given.values.values()}
    if given.username is not None:
        known.add(_basic(given.username, given.password or ""))
    return frozenset(text.strip() for text in known if text and text.strip())


def tls_of(parameters: Parameters) -> ssl.SSLContext | bool:
    """Return trusted certificates and the client's own. Raises ValueError when one cannot be read."""
    if parameters.ca is None and parameters.certificate is None:
        return True
    context = ssl.create_default_context()
    try:
        if parameters.ca is not None:
            context = ssl.create_default_context(cadata=parameters.ca)
    except ssl.SSLError:
        raise ValueError("ca: no certificates in PEM can be read from it") from None
    if parameters.certificate is not None:
        with tempfile.TemporaryDirectory() as folder:  # the ssl module reads files only
            certificate, key = Path(folder, "certificate"), Path(folder, "key")
            certificate.write_text(parameters.certificate)
            key.write_text(parameters.key or "")
            try:
                context.load_cert_chain(certificate, key, password=str)
            except (ssl.SSLError, OSError, TypeError):
                raise ValueError("certificate, key: no pair in PEM can be read from them") from None
    return context
