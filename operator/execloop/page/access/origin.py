"""Whether a request comes from this page, and whether its browser is on the same machine."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["from_here", "on_loopback", "path_here"]


def from_here(headers: Mapping[str, str]) -> bool:
    """Return whether a browser sent this from a page of the same origin.

    `Sec-Fetch-Site` is the browser's own word; where it is missing, `Origin` has to name the host that was asked.
    """
    if (site := headers.get("Sec-Fetch-Site")) is not None:
        return site == "same-origin"
    try:
        origin = URL(headers.get("Origin", ""))
        return (
            bool(origin.authority) and origin.authority == URL(f"{origin.scheme}://{headers.get('Host', '')}").authority
        )
    except ValueError:
        return False


def on_loopback(host: str) -> bool:
    """Return whether a Host header names this very machine, as with `kubectl port-forward`."""
    try:
        name = URL(f"http://{host}").host or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def path_here(wanted: str) -> str:
    """Return a path of this page to continue at; the list for anything that could lead elsewhere."""
    harmless = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return wanted if harmless else "/"
