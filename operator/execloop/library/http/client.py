"""One request, and its answer: to an address that is allowed, within bounds, with nothing secret in an error."""

from __future__ import annotations

import ipaddress
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from execloop._engine.waits import Wait
from execloop.library.addresses import Addresses, ForbiddenAddress
from execloop.library.http.body import decoded, parsed, read
from execloop.library.http.errors import BadAnswer, HttpError, Refused, Unreachable
from execloop.library.http.pace import Pace, seconds_to_wait

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

__all__ = ["Answer", "Client", "Request"]

_CONNECT_SECONDS: Final = 10.0
_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_AGAIN: Final = 10.0
_PASSING: Final = (502, 503, 504)
"""What a proxy answers while the server behind it starts."""
_SAID: Final = ("message", "error", "error_description", "detail", "title")
_SAID_MOST: Final = 200

pace = Pace()


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    path: str | None = None
    """The path as it may be shown, where the URL's has a value from a Secret."""

    @property
    def name(self) -> str:
        """Without the query, where credentials stand at times."""
        return f"{self.method} {self.url.origin()}{self.url.raw_path if self.path is None else self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(repr=False)
    url: URL = field(repr=False)

    def leads_to(self, reference: object) -> URL:
        """Return the URL of a reference that the server gave. Raises BadAnswer."""
        try:
            url = self.url.join(URL(str(reference))).with_fragment(None)
            url.origin()  # which raises where there is no host
        except (ValueError, TypeError):
            raise BadAnswer(f"{self.url.origin()}: the answer refers to something that is not a URL") from None
        return url


class Client:
    """Use it in an `async with`; one connection serves its requests in turn.

    `secrets` are texts that no message may have; `identity` keeps the rate limits of different credentials apart.
    """

    def __init__(
        self, addresses: Addresses, tls: ssl.SSLContext | bool, seconds: float, secrets: frozenset[str], identity: str
    ) -> None:
        self._addresses, self._tls, self._secrets, self._identity = addresses, tls, set(secrets), identity
        self._timeout = aiohttp.ClientTimeout(seconds, sock_connect=_CONNECT_SECONDS)
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self._addresses), use_dns_cache=False, ssl=self._tls, limit=10, happy_eyeballs_delay=None
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "execloop"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def hide(self, secret: str) -> None:
        """Keep a text out of messages from now on, such as a token that was granted."""
        self._secrets.add(secret)

    async def send(self, request: Request, *, expected: tuple[int, ...] = ()) -> Answer:
        """Return the answer, also one of the `expected` statuses.

        Raises:
            Refused: The status is 400 or more.
            BadAnswer: The answer cannot be used.
            HttpError: No answer came.
            Wait: The server is not reachable yet, or asked to wait.

        """
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await self._attempt(request)
            if answer.status not in _REDIRECTS:
                return self._accepted(request, answer, expected)
            request = _redirected(request, answer)
        raise BadAnswer(f"{request.name}: over {_MOST_REDIRECTS} redirects")

    async def _attempt(self, request: Request) -> Answer:
        key = f"{request.url.origin()} {self._identity}"
        if (left := pace.left(key)) > 0:
            raise Wait(f"{request.url.origin()} asked to wait", again_in=left)
        with _failures(request):
            self._check_literal(request.url)
            async with self._session.request(
                request.method, request.url, headers=request.headers, data=request.body, allow_redirects=False
            ) as response:
                content = await read(response.content.iter_any(), request.name)
        pace.keep(key, seconds_to_wait(response.status, response.headers, time.time()))
        plain = decoded(content, response.headers.get("Content-Encoding", ""), request.name)
        return Answer(response.status, response.headers, self._body(request, response.status, plain), request.url)

    def _body(self, request: Request, status: int, content: bytes) -> Any:
        try:
            return parsed(content, request.name)
        except BadAnswer:
            if status < 300:  # noqa: PLR2004 - an error page may be what it likes
                raise
            return None

    def _check_literal(self, url: URL) -> None:
        """An address in the URL is asked of no resolver. Raises ForbiddenAddress."""
        host = url.host or ""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return
        if not self._addresses.permits(host, address):
            raise ForbiddenAddress(f"{host} is an internal address: {_ALLOW}")

    def _accepted(self, request: Request, answer: Answer, expected: tuple[int, ...]) -> Answer:
        if answer.status < 400 or answer.status in expected:  # noqa: PLR2004
            return answer
        message = f"{request.name} was answered with {answer.status}{self._said(answer.json)}"
        if (left := pace.left(f"{request.url.origin()} {self._identity}")) > 0:
            raise Wait(message, again_in=left)
        if answer.status in _PASSING and request.method == "GET":
            raise Wait(message, again_in=_AGAIN)
        raise Refused(message, answer.status)

    def _said(self, body: Any) -> str:
        """Return the server's own words, as far as they quote none of ours."""
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            body = body["error"]
        words = [body[key] for key in _SAID if isinstance(body.get(key), str)] if isinstance(body, dict) else []
        text = " ".join(": ".join(words).split())[:_SAID_MOST]
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "…") if secret else text
        return f": {text}" if text else ""


_ALLOW: Final = "have an administrator allow its network with --plan-address (the chart's operator.planAddresses)"


class _Resolver(AbstractResolver):
    """Looks a name up once for each connection, and gives the addresses that are allowed."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._addresses.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,  # noqa: PLR2004 - of IP
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


def _redirected(request: Request, answer: Answer) -> Request:
    """Follow a redirect of what only looks; never with a credential to another server. Raises BadAnswer."""
    if request.method not in {"GET", "HEAD"}:
        raise BadAnswer(f"{request.name} was answered with a redirect ({answer.status}): use the URL that it leads to")
    url = answer.leads_to(answer.headers.get("Location", ""))
    if url.scheme not in {"http", "https"} or (request.url.scheme == "https" and url.scheme == "http"):
        raise BadAnswer(f"{request.name}: a redirect from {request.url.scheme} to {url.scheme} is not followed")
    same = url.origin() == request.url.origin()
    return Request(request.method, url, request.headers if same else {}, None, None if same else "")


@contextmanager
def _failures(request: Request) -> Iterator[None]:
    """What keeps an answer from coming: an error, or a Wait where another attempt is safe and may help."""
    try:
        yield
    except ForbiddenAddress as error:
        raise HttpError(f"{request.name}: {error}") from None
    except aiohttp.ClientConnectorCertificateError as error:
        cause = getattr(error.certificate_error, "verify_message", "") or "not valid"
        raise HttpError(f"{request.name}: the server's certificate: {cause}") from None
    except aiohttp.ClientSSLError:
        raise HttpError(f"{request.name}: TLS failed") from None
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.__cause__, ForbiddenAddress):
            raise HttpError(f"{request.name}: {error.__cause__}") from None
        raise Unreachable(f"{request.url.origin()} is not reachable", again_in=_AGAIN) from None
    except TimeoutError:
        raise _unanswered(request, "did not answer in time") from None
    except (aiohttp.ClientError, OSError) as error:
        raise _unanswered(request, f"broke the connection ({type(error).__name__})") from None
    except ValueError:  # of a header or URL, which it quotes
        raise HttpError(f"{request.name}: the URL or a header is not valid") from None


def _unanswered(request: Request, what: str) -> Exception:
    message = f"{request.name}: the server {what}"
    return Unreachable(message, again_in=_AGAIN) if request.method == "GET" else HttpError(message)
