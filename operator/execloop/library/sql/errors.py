"""Errors of a database, as they may be shown: no DETAIL, which quotes rows, and no connection string."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg

from execloop._engine.waits import Wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop.library.sql.migration import Migration

__all__ = ["DatabaseError", "explained"]

_BUSY: Final = {
    "40001": "it conflicts with another transaction",
    "40P01": "it was in a deadlock with another transaction",
    "55P03": "another session has a lock that it needs",
}
_NOT_YET: Final = {
    "53300": "the server has no connection left",
    "57P01": "the server shuts down",
    "57P02": "the server restarts after a crash",
    "57P03": "the server starts up",
}
_AGAIN: Final = 10.0
_REFUSED: Final = (
    "authentication failed",
    "certificate",
    "does not exist",
    "SSL",
    "no pg_hba.conf entry",
    "permission denied",
)


class DatabaseError(Exception):
    """What a database refused, in one line."""


@contextmanager
def explained(migration: Migration | None = None) -> Iterator[None]:
    """Turn errors of the driver into DatabaseError, or into a Wait for what passes without help."""
    try:
        yield
    except psycopg.Error as error:
        raise _of_postgresql(error, migration) from None
    except sqlite3.Error as error:
        raise _of_sqlite(error, migration) from None


def _of_postgresql(error: psycopg.Error, migration: Migration | None) -> Exception:
    code = error.sqlstate or ""
    name = "" if migration is None else migration.name
    if code in _BUSY:
        return Wait(f"{name or 'the history'}: {_BUSY[code]} ({code})", again_in=_AGAIN)
    if code in _NOT_YET:
        return Wait(f"{_NOT_YET[code]} ({code})", again_in=_AGAIN)
    if not code:
        return _of_connection(error)
    line = _line(error.diag.statement_position, migration)
    message = (error.diag.message_primary or type(error).__name__).splitlines()[0]
    return DatabaseError(f"{name}{line}: {message} ({code})" if name else f"{message} ({code})")


def _of_connection(error: psycopg.Error) -> Exception:
    """Without a code, as before a session, libpq's text must do: a server that is not reachable yet is waited for."""
    text = " ".join(str(error).split())[:400]
    if any(word in text for word in _REFUSED):
        return DatabaseError(text)
    return Wait(text or type(error).__name__, again_in=_AGAIN)


def _line(position: str | None, migration: Migration | None) -> str:
    if migration is None or not position:
        return ""
    if not migration.transaction:
        return ""  # it counts from the beginning of its statement
    return f", line {migration.sql[: int(position) - 1].count(chr(10)) + 1}"


def _of_sqlite(error: sqlite3.Error, migration: Migration | None) -> Exception:
    name = "" if migration is None else f"{migration.name}: "
    if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Wait(f"{name}another process has the database's lock", again_in=_AGAIN)
    return DatabaseError(f"{name}{error}")
