"""`url('https://example.com:8080/path?a=b')`: absolute URLs, and paths, taken apart."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from execloop.library.cel.functions.declaration import Function, content, limited, method, of_text, wellformed

__all__ = ["FUNCTIONS"]

_URL: Final = "url"
_LONGEST: Final = 4096
_MOST_PARAMETERS: Final = 100


def url(text: str) -> dict[str, str]:
    """Return a URL."""
    if not text.isprintable() or " " in text:
        raise ValueError("a URL has no spaces and no control characters")
    try:
        parts = urlsplit(limited(text, _LONGEST, "a URL"))
        _ = parts.port
    except ValueError:
        raise ValueError("this is not a URL, such as https://example.com/path") from None
    if not parts.scheme and not text.startswith("/"):
        raise ValueError("a URL begins with a scheme, as in https://example.com/path, or is a path")
    return {_URL: text}


def _parts(value: Any) -> SplitResult:
    return urlsplit(content(value, _URL))


def _hostname(value: Any) -> str:
    return _parts(value).hostname or ""


def _host(value: Any) -> str:
    return _parts(value).netloc.rpartition("@")[2]


def _port(value: Any) -> str:
    port = _parts(value).port
    return "" if port is None else str(port)


def _query(value: Any) -> dict[str, list[str]]:
    return parse_qs(_parts(value).query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)


FUNCTIONS: Final[tuple[Function, ...]] = (
    of_text("url", url),
    of_text("isURL", wellformed(url), "BOOL"),
    method("getScheme", lambda value: _parts(value).scheme, "STRING"),
    method("getHost", _host, "STRING"),
    method("getHostname", _hostname, "STRING"),
    method("getPort", _port, "STRING"),
    method("getEscapedPath", lambda value: quote(_parts(value).path, safe="/%:@!$&'()*+,;=~"), "STRING"),
    method("getQuery", _query, "MAP"),
)
