"""The plan itself: which steps each database needs, one task for each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from execloop._engine.errors import FatalError
from execloop._engine.tasks import Task
from execloop._engine.waits import Wait
from execloop._plans.decorator import plan
from execloop.library.addresses import Addresses
from execloop.library.sql.connection import SQLITE, Session, connection_options
from execloop.library.sql.errors import DatabaseError
from execloop.library.sql.grants import expanded
from execloop.library.sql.history import Rules, assess
from execloop.library.sql.parameters import Database, Parameters
from execloop.library.sql.postgresql import PostgreSql
from execloop.library.sql.sources import read
from execloop.library.sql.sqlite import Sqlite

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence

    from execloop._plans.context import Context
    from execloop.library.sql.grants import Grant
    from execloop.library.sql.history import MigrationStep, Record
    from execloop.library.sql.migration import Migration

__all__ = ["Server", "Sql"]

_AT_ONCE: Final = 10
_SHOWN: Final = 10


class Server(Protocol):
    """A database, of whichever kind."""

    async def look(self) -> tuple[Record, ...]:
        """Return the history; write nothing."""

    async def take(self, step: MigrationStep, before: Sequence[str]) -> None:
        """Take a step after those named in `before`, unless the history has it by now."""

    async def missing_grants(self, grants: Sequence[Grant]) -> tuple[Grant, ...]:
        """Return the grants that roles do not have; write nothing."""

    async def grant(self, grant: Grant) -> None:
        """Grant a privilege."""


@dataclass(slots=True)
class _Target:
    """`label`: what messages begin with; empty for a single database."""

    label: str
    server: Server
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Tasks run in order also under `parallelism`."""

    async def attempt(self, work: Coroutine[Any, Any, None]) -> None:
        """Await work when its turn comes. Raises what it raises, with the label."""
        async with self.turn:
            try:
                await work
            except Wait as wait:
                raise Wait(self.named(wait.message), wait.again_in) from None
            except DatabaseError as error:
                raise DatabaseError(self.named(str(error))) from None

    def named(self, text: str, separator: str = ": ") -> str:
        return f"{self.label}{separator}{text}" if self.label else text


@dataclass(slots=True)
class _Found:
    """What all databases need, and what is wrong with them."""

    tasks: list[Task] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@plan("sql", parameters=Parameters)
class Sql:
    """Each database has had every migration, in order, each once; what is due runs, and nothing else."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._parameters, self._context = parameters, context
        self._targets = tuple(_targets(parameters, context))
        self._grants = tuple(expanded(parameters.grants))
        self._approval = parameters.approve == "Always"
        self._rules = Rules(
            parameters.baseline,
            parameters.out_of_order == "Allow",
            parameters.missing == "Allow",
            frozenset(parameters.accept),
        )

    @property
    def reads(self) -> tuple[tuple[str, str, str, str], ...]:
        """The ConfigMap with the migrations."""
        name = self._parameters.config_map
        return () if name is None else (("v1", "ConfigMap", self._context.namespace, name),)

    async def create(self) -> list[Task | Wait]:
        migrations = await read(self._parameters, self._context)
        found, places = _Found(), asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._look(target, migrations, found, places) for target in self._targets))
        if not found.tasks:  # what one database has wrong keeps the others from nothing
            if found.problems:
                raise FatalError(_listed(found.problems))
            if found.errors:
                raise DatabaseError(_listed(found.errors))
        for problem in (*found.problems, *found.errors):
            self._context.logger.warning("%s", problem)
        return [*found.tasks, *found.waits]

    async def _look(
        self, target: _Target, migrations: Sequence[Migration], found: _Found, places: asyncio.Semaphore
    ) -> None:
        try:
            async with places:
                assessment = assess(migrations, await target.server.look(), self._rules)
                settled = not (assessment.steps or assessment.problems)
                missing_grants = await target.server.missing_grants(self._grants) if settled and self._grants else ()
        except Wait as wait:
            found.waits.append(Wait(target.named(wait.message), wait.again_in))
            return
        except (DatabaseError, OSError) as error:
            found.errors.append(target.named(str(error)))
            return
        found.problems += map(target.named, assessment.problems)
        before: list[str] = []
        for step in assessment.steps:
            found.tasks.append(self._task(target, step, tuple(before[-1:])))
            before.append(step.migration.name)
        found.tasks += [_Grant(target, grant, approval=self._approval) for grant in missing_grants]

    def _task(self, target: _Target, step: MigrationStep, before: tuple[str, ...]) -> Task:
        return _Take(target, step, before, approval=self._approval)


class _Take(Task):
    """Take one step of one database."""

    def __init__(self, target: _Target, step: MigrationStep, before: tuple[str, ...], *, approval: bool) -> None:
        self.name, self.detail, self.approval = target.named(step.title, "/"), step.detail, approval
        self._target, self._step, self._before = target, step, before

    async def perform(self) -> None:
        await self._target.attempt(self._target.server.take(self._step, self._before))


class _Grant(Task):
    """Grant one privilege in one database."""

    def __init__(self, target: _Target, grant: Grant, *, approval: bool) -> None:
        self.name, self.detail, self.approval = target.named(grant.title), grant.statement, approval
        self._target, self._grant = target, grant

    async def perform(self) -> None:
        await self._target.attempt(self._target.server.grant(self._grant))


def _listed(problems: Sequence[str]) -> str:
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more


def _targets(parameters: Parameters, context: Context) -> Iterator[_Target]:
    session = Session(
        parameters.table, parameters.db_schema, parameters.lock_timeout, parameters.statement_timeout, parameters.ca
    )
    if not parameters.databases:
        yield _Target("", _server(parameters, None, session, context))
    for database in parameters.databases:
        yield _Target(database.name, _server(parameters, database, session, context))


def _server(parameters: Parameters, database: Database | None, session: Session, context: Context) -> Server:
    author = f"{context.namespace}/{context.name}".removeprefix("/")
    dsn = (database and database.dsn) or parameters.dsn or ""
    if dsn.startswith(SQLITE):
        return Sqlite(partial(_file, dsn.removeprefix(SQLITE), context), session, author)
    options = dict(connection_options(dsn)) | {"application_name": "execloop"}
    given = {"user": parameters.username, "password": parameters.password}
    if database is not None:
        given["dbname"] = database.dbname
        given["password"] = parameters.credentials.get(database.credential or "") or parameters.password
    options |= {name: value for name, value in given.items() if value is not None}
    # Most databases are inside the cluster; what is link-local or the operator's own machine is not for Plans.
    return PostgreSql(options, session, author, Addresses(context.limits.addresses, private=True))


def _file(path: str, context: Context) -> Path:
    file = Path("/" if path.startswith("/") else ".", path)
    return context.limits.folder(str(file.parent)) / file.name
