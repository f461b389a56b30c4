"""A database of PostgreSQL: its history, and the migrations in it. Each call has a connection of its own.

The server decides between two migrations at one time: an advisory lock, which ends with the transaction or the session.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from execloop._engine.waits import Wait
from execloop.library.sql.connection import resolved
from execloop.library.sql.errors import DatabaseError, explained
from execloop.library.sql.history import Record
from execloop.library.sql.statements import ConcurrentIndex, concurrent_index, split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from execloop.library.addresses import Addresses
    from execloop.library.sql.connection import Session
    from execloop.library.sql.grants import Grant
    from execloop.library.sql.history import MigrationStep

__all__ = ["PostgreSql"]

Connection: TypeAlias = "psycopg.AsyncConnection[tuple[Any, ...]]"

# A dead peer ends the session within a minute or so, on either side: the lock goes with it.
_KEEPALIVE: Final = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "connect_timeout": "10",
    "passfile": "/dev/null",
    "client_encoding": "UTF8",
}
_LOCK_AGAIN: Final = 5.0

_CREATE = """\
CREATE TABLE IF NOT EXISTS {table} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    checksum text NOT NULL,
    state text NOT NULL CHECK (state IN ('applied', 'baseline', 'started')),
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by text NOT NULL DEFAULT session_user,
    plan text NOT NULL
)"""
_RECORD = """\
INSERT INTO {table} (name, checksum, state, plan) VALUES (%s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, state = excluded.state,
    applied_at = excluded.applied_at, applied_by = excluded.applied_by, plan = excluded.plan"""


class PostgreSql:
    """`options`: of the connection. `author`: what the history says of who applied a migration."""

    def __init__(self, options: Mapping[str, str], session: Session, author: str, addresses: Addresses) -> None:
        self._options, self._session, self._author, self._addresses = options, session, author, addresses

    async def look(self) -> tuple[Record, ...]:
        """Return the history, and write nothing. Raises DatabaseError or Wait."""
        async with self._connected() as connection, connection.transaction():
            await connection.execute("SET TRANSACTION READ ONLY")
            await self._bound(connection)
            await self._use_schema(connection)
            return await self._records(connection)

    async def take(self, step: MigrationStep, before: Sequence[str]) -> None:
        """Take a step, unless the history has it by now. Raises DatabaseError; Wait when something else comes first."""
        async with self._connected() as connection:
            if step.action == "apply" and not step.migration.transaction:
                await self._without_transaction(connection, step, before)
            else:
                async with connection.transaction():
                    await self._in_transaction(connection, step, before)

    async def missing_grants(self, grants: Sequence[Grant]) -> tuple[Grant, ...]:
        """Return the grants that roles do not have. Raises DatabaseError or Wait."""
        async with self._connected() as connection, connection.transaction():
            await connection.execute("SET TRANSACTION READ ONLY")
            await self._bound(connection)
            await self._use_schema(connection)
            checks = sql.SQL(", ").join(grant.check for grant in grants)
            found = await connection.execute(sql.SQL("SELECT {}").format(checks))
            row = await found.fetchone() or ()
            return tuple(grant for grant, has in zip(grants, row, strict=True) if not has)

    async def grant(self, grant: Grant) -> None:
        """Grant a privilege. Raises DatabaseError or Wait."""
        async with self._connected() as connection, connection.transaction():
            await self._bound(connection)
            await self._use_schema(connection)
            await connection.execute(grant.statement.encode())

    async def _in_transaction(self, connection: Connection, step: MigrationStep, before: Sequence[str]) -> None:
        await self._bound(connection)
        await self._lock(connection, "pg_try_advisory_xact_lock")
        if not await self._due(connection, step, before):
            return
        if step.action == "apply":
            with explained(step.migration):
                await connection.execute(step.migration.sql.encode())
            if connection.info.transaction_status is not TransactionStatus.INTRANS:
                raise DatabaseError(f"{step.migration.name} ended its own transaction: it may be applied in part")
            await self._use_schema(connection)  # the migration may have set another
        await self._record(connection, step, "baseline" if step.action == "baseline" else "applied")

    async def _without_transaction(self, connection: Connection, step: MigrationStep, before: Sequence[str]) -> None:
        """Say in the history that it began: after a crash it runs again, from its first statement."""
        await connection.set_autocommit(True)
        await self._bound(connection)
        await self._lock(connection, "pg_try_advisory_lock")
        if not await self._due(connection, step, before):
            return
        await self._record(connection, step, "started")
        for statement in split(step.migration.sql):
            index = concurrent_index(statement)
            if index is not None and await self._has_index(connection, index):
                continue
            with explained(step.migration):
                await connection.execute(statement.encode())
        await self._use_schema(connection)
        await self._record(connection, step, "applied")

    async def _has_index(self, connection: Connection, index: ConcurrentIndex) -> bool:
        """Return whether an earlier attempt made it; one that it left invalid is dropped first."""
        name = sql.Identifier(*index.place)
        found = await connection.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name.as_string(connection)]
        )
        row = await found.fetchone()
        if row is not None and not row[0]:
            await connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(name))
        return row is not None and bool(row[0])

    async def _due(self, connection: Connection, step: MigrationStep, before: Sequence[str]) -> bool:
        await self._use_schema(connection, create=True)
        records = await self._records(connection, create=True)
        if step.done(records):
            return False
        known = {record.name for record in records if record.state != "started"}
        if missing := [name for name in before if name not in known]:
            raise Wait(f"{step.migration.name} comes after {missing[0]}")
        return True

    # -- the history

    @property
    def _table(self) -> sql.Identifier:
        """With its schema: another one of the search path may have a history of its own."""
        schema, table = self._session.schema, self._session.table
        return sql.Identifier(table) if schema is None else sql.Identifier(schema, table)

    async def _records(self, connection: Connection, *, create: bool = False) -> tuple[Record, ...]:
        table = self._table
        found = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table.as_string(connection)])
        row = await found.fetchone()
        if row is None or not row[0]:
            if create:
                await connection.execute(sql.SQL(_CREATE).format(table=table))
            return ()
        rows = await connection.execute(sql.SQL("SELECT name, checksum, state FROM {} ORDER BY id").format(table))
        return tuple(Record(*row) for row in await rows.fetchall())

    async def _record(self, connection: Connection, step: MigrationStep, state: str) -> None:
        table = self._table
        values = [step.migration.name, step.migration.checksum, state, self._author]
        await connection.execute(sql.SQL(_RECORD).format(table=table), values)

    # -- the session

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        with ExitStack() as stack, explained():
            options = self._trusting(stack) | await resolved(self._options, self._addresses)
            # A pooler between us and the server may hand each transaction to another session: keep none prepared.
            given = options | _KEEPALIVE
            connection = await psycopg.AsyncConnection.connect(**given, prepare_threshold=None)
            try:
                yield connection
            finally:
                await asyncio.shield(connection.close())

    def _trusting(self, stack: ExitStack) -> dict[str, Any]:
        """Put the certificates into a file: libpq reads them from files only."""
        if self._session.ca is None:
            return dict(self._options)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        file = Path(folder, "ca.pem")
        file.write_text(self._session.ca)
        return {"sslmode": "verify-full", **self._options, "sslrootcert": str(file)}

    async def _bound(self, connection: Connection) -> None:
        settings = {
            "lock_timeout": _milliseconds(self._session.lock_timeout),
            "statement_timeout": _milliseconds(self._session.statement_timeout),
            "idle_in_transaction_session_timeout": "60000",
        }
        if connection.info.server_version >= 140000:  # noqa: PLR2004 - PostgreSQL 14
            settings["client_connection_check_interval"] = "10000"
        for name, value in settings.items():
            await self._set(connection, name, value)

    async def _set(self, connection: Connection, name: str, value: str) -> None:
        """For the transaction, where there is one."""
        await connection.execute("SELECT set_config(%s, %s, %s)", [name, value, not connection.autocommit])

    async def _use_schema(self, connection: Connection, *, create: bool = False) -> None:
        schema = self._session.schema
        if schema is None:
            await connection.execute("RESET search_path")  # a migration may have set it
            return
        if create:
            found = await connection.execute("SELECT to_regnamespace(%s) IS NULL", [f'"{schema}"'])
            row = await found.fetchone()
            if row is not None and row[0]:
                await connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        await self._set(connection, "search_path", f'"{schema}", public')

    async def _lock(self, connection: Connection, function: str) -> None:
        """For each schema and history one migration at a time. Raises Wait while another session has the lock."""
        await self._use_schema(connection)
        query = f"SELECT {function}(%s::bigint # hashtext(coalesce(%s::text, current_schema(), ''))::bigint)"
        found = await connection.execute(query.encode(), [self._key(), self._session.schema])
        row = await found.fetchone()
        if row is None or not row[0]:
            raise Wait("another session is migrating it", again_in=_LOCK_AGAIN)

    def _key(self) -> int:
        digest = hashlib.sha256(f"execloop/{self._session.table}".encode()).digest()
        return int.from_bytes(digest[:8], signed=True)


def _milliseconds(duration: timedelta) -> str:
    return str(duration // timedelta(milliseconds=1))
