"""Connections: which database, as which user. What would read files or the environment of the operator is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from execloop._engine.waits import Wait
from execloop.library.addresses import ForbiddenAddress
from execloop.library.sql.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.library.addresses import Addresses

__all__ = ["EXAMPLE", "SQLITE", "Session", "connection_options", "resolved"]

EXAMPLE: Final = "postgresql://user@host:5432/database?sslmode=verify-full"
SQLITE: Final = "sqlite:///"

_PORT: Final = "5432"
_AGAIN: Final = 10.0
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


@dataclass(frozen=True, slots=True)
class Session:
    """`schema`: where the history is; None is the server's default."""

    table: str = "execloop_migrations"
    schema: str | None = None
    lock_timeout: timedelta = timedelta(seconds=5)
    statement_timeout: timedelta = timedelta()
    ca: str | None = None


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


async def resolved(options: Mapping[str, str], addresses: Addresses) -> dict[str, str]:
    """Return the options that lead to allowed addresses of the hosts: each host as often as it has addresses.

    Raises:
        DatabaseError: A host has no address that is allowed, or the ports do not fit the hosts.
        Wait: A host cannot be resolved yet.

    """
    hosts, ports = options["host"].split(","), options.get("port", _PORT).split(",")
    if len(ports) not in {1, len(hosts)} or not all(port.isdecimal() for port in ports):
        raise DatabaseError("the connection string has a different number of ports than of hosts")
    found: list[tuple[str, str, str]] = []
    for place, host in enumerate(hosts):
        port = ports[place if len(ports) > 1 else 0]
        try:
            found += [(host, str(address), port) for address in await addresses.resolve(host, int(port))]
        except ForbiddenAddress as error:
            raise DatabaseError(str(error)) from None
        except OSError:
            raise Wait(f"the host {host} cannot be resolved", again_in=_AGAIN) from None
    return {
        name: ",".join(each) for name, each in zip(("host", "hostaddr", "port"), zip(*found, strict=True), strict=True)
    }
