"""A database of SQLite, in a file below a folder that the operator allows."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from execloop._engine.waits import Wait
from execloop.library.sql.errors import DatabaseError, explained
from execloop.library.sql.history import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from execloop.library.sql.connection import Session
    from execloop.library.sql.grants import Grant
    from execloop.library.sql.history import MigrationStep

__all__ = ["Sqlite"]

_CREATE = """\
CREATE TABLE IF NOT EXISTS "{table}" (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    checksum TEXT NOT NULL,
    state TEXT NOT NULL,
    applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    plan TEXT NOT NULL
)"""


class Sqlite:
    """`file`: returns where the file may be, when it is used. Migrations always run in a transaction."""

    def __init__(self, file: Callable[[], Path], session: Session, author: str) -> None:
        self._file, self._session, self._author = file, session, author

    async def look(self) -> tuple[Record, ...]:
        return await asyncio.to_thread(self._look)

    async def take(self, step: MigrationStep, before: Sequence[str]) -> None:
        await asyncio.to_thread(self._take, step, before)

    async def missing_grants(self, grants: Sequence[Grant]) -> tuple[Grant, ...]:
        """Return all of them: SQLite has no roles, and the parameters allow no grants for it."""
        return tuple(grants)

    async def grant(self, grant: Grant) -> None:
        raise DatabaseError(f"SQLite has no roles: {grant.title}")

    def _look(self) -> tuple[Record, ...]:
        file = self._file()
        if not file.exists():
            return ()
        with explained(), closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            return self._records(connection)

    def _take(self, step: MigrationStep, before: Sequence[str]) -> None:
        seconds = self._session.lock_timeout.total_seconds()
        with (
            explained(step.migration),
            closing(sqlite3.connect(self._file(), timeout=seconds, isolation_level=None)) as connection,
        ):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_CREATE.format(table=self._session.table))
            records = self._records(connection)
            if step.done(records):
                return
            known = {record.name for record in records}
            if missing := [name for name in before if name not in known]:
                raise Wait(f"{step.migration.name} comes after {missing[0]}")
            if step.action == "apply":
                self._run(connection, step)
            self._record(connection, step)
            connection.execute("COMMIT")

    def _run(self, connection: sqlite3.Connection, step: MigrationStep) -> None:
        for statement in _statements(step.migration.sql):
            connection.execute(statement)
        if not connection.in_transaction:
            raise DatabaseError(f"{step.migration.name} ended its own transaction: it may be applied in part")

    def _records(self, connection: sqlite3.Connection) -> tuple[Record, ...]:
        table = self._session.table
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone():
            return ()
        rows = connection.execute(f'SELECT name, checksum, state FROM "{table}" ORDER BY id')  # noqa: S608 - checked
        return tuple(Record(*row) for row in rows)

    def _record(self, connection: sqlite3.Connection, step: MigrationStep) -> None:
        state = "baseline" if step.action == "baseline" else "applied"
        connection.execute(
            f'INSERT INTO "{self._session.table}" (name, checksum, state, plan) VALUES (?, ?, ?, ?)'  # noqa: S608 - checked
            " ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, state = excluded.state",
            [step.migration.name, step.migration.checksum, state, self._author],
        )


def _statements(script: str) -> Iterator[str]:
    """A semicolon ends a statement where SQLite says so: not in a text, nor in the body of a trigger."""
    start = 0
    for semicolon in re.finditer(";", script):
        if sqlite3.complete_statement(statement := script[start : semicolon.end()]):
            yield statement
            start = semicolon.end()
    if script[start:].strip():
        yield script[start:]
