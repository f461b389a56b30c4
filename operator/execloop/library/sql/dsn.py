"""Connection strings: which database, as whom. What would read files or the environment of the operator is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXAMPLE", "SQLITE", "connection_options"]

EXAMPLE: Final = "postgresql://user@host:5432/database?sslmode=verify-full"
SQLITE: Final = "sqlite:///"

_ALLOWED: Final = frozenset(
    {
        "application_name",
        "channel_binding",
        "dbname",
        "host",
        "options",
        "password",
        "port",
        "require_auth",
        "sslmode",
        "sslnegotiation",
        "target_session_attrs",
        "user",
    }
)


def connection_options(dsn: str) -> Mapping[str, str]:
    """Return the options of a connection string of PostgreSQL.

    Raises:
        ValueError: It cannot be read, or has an option that is not allowed. The message has no value of it.

    >>> dict(connection_options("postgresql://app@db/shop"))
    {'user': 'app', 'dbname': 'shop', 'host': 'db'}

    """
    try:
        options = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except ProgrammingError:  # whose message quotes the text
        raise ValueError(f"should be a connection string such as {EXAMPLE}") from None
    if refused := sorted(options.keys() - _ALLOWED):
        raise ValueError(f"the option {refused[0]} is not allowed; allowed are {', '.join(sorted(_ALLOWED))}")
    hosts = options.get("host", "").split(",")
    if any(not host or host.startswith(("/", "@")) for host in hosts):
        raise ValueError(f"should name a host, as in {EXAMPLE}")
    return options
