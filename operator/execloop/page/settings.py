"""What an administrator decides about the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PageSettings"]

_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class PageSettings:
    port: int
    host: str | None = None
    """None: every address of the machine."""
    actions: bool = False
    """Whether people may act on Plans through the page, each with their own rights."""
    audience: str | None = None
    """An audience that a token must have besides the API server's own."""
    key: Path | None = None
    """The file with the key that signs cookies, the same for every replica. None: a key that ends with the process."""
    impersonate: Path | None = None
    """The file with the secret of a proxy whose word counts for who asks. None: no proxy's word counts."""
    impersonate_prefix: str = "oidc:"
    """Stands before the names of users and groups that the proxy sends."""

    @classmethod
    def at(cls, address: str, **others: object) -> PageSettings:
        """Return the settings for an address, `:8090` or `127.0.0.1:8090`. Raises ValueError that says the form."""
        host, colon, port = address.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > _HIGHEST_PORT:
            raise ValueError(f"{address!r} should be HOST:PORT or :PORT, such as :8090")
        return cls(int(port), host.removeprefix("[").removesuffix("]") or None, **others)  # type: ignore[arg-type]  # the fields above
