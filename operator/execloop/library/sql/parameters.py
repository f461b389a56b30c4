"""The parameters of the plan `sql`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from execloop._engine.errors import ParameterProblem
from execloop._plans.duration import Duration
from execloop.library.parts.parameters import misplaced
from execloop.library.sql.connection import SQLITE, connection_options
from execloop.library.sql.migration import LONGEST
from execloop.library.sql.statements import transaction_control

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop.library.sql.grants import Kind

__all__ = ["Database", "GrantRule", "MigrationText", "Parameters"]

_CONFIG = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)
_IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_$]{0,62}$"
_OBJECT = r"^[^.\"\x00]{1,63}(\.[^.\"\x00]{1,63})?$"
_NAME = r"^[A-Za-z0-9][-A-Za-z0-9_. ]{0,199}$"
Named = TypeVar("Named", "MigrationText", "Database")
Choice: TypeAlias = Literal["Refuse", "Allow"]


def _dsn(value: str) -> str:
    if not value.startswith(SQLITE):
        connection_options(value)
    return value


Dsn: TypeAlias = Annotated[str, Field(max_length=4096), AfterValidator(_dsn)]
Secret: TypeAlias = Annotated[str, Field(max_length=4096)]


class MigrationText(BaseModel):
    """A migration that is written in the parameters."""

    model_config = _CONFIG

    name: str = Field(pattern=_NAME, description="What the history calls it. It must not change")
    sql: str = Field(min_length=1, max_length=LONGEST, description="The statements, with a semicolon between them")
    transaction: bool = Field(
        default=True,
        description="Run it in one transaction. `false` for what PostgreSQL allows outside one only, such as"
        " CREATE INDEX CONCURRENTLY: then it must be safe to repeat, since a crash may leave it half done",
    )
    repeatable: bool = Field(
        default=False,
        description="Run it after the others, and again whenever its text changes: views, functions, grants",
    )

    @model_validator(mode="after")
    def _no_control(self) -> MigrationText:
        if self.transaction and (word := transaction_control(self.sql)):
            raise ValueError(
                f"the statement {word} ends the migration's own transaction: remove it, or set transaction: false"
            )
        return self


class Database(BaseModel):
    """One of several databases."""

    model_config = _CONFIG

    name: str = Field(pattern=_NAME, description="What messages and task names call it")
    dsn: Dsn | None = Field(
        default=None, repr=False, description="Its connection string; without one, the plan's `dsn`"
    )
    dbname: str | None = Field(
        default=None, max_length=63, description="The database, in place of the connection string's"
    )
    credential: str | None = Field(default=None, description="The key in `credentials` that has its password")


Privilege: TypeAlias = Literal[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "USAGE",
    "CREATE",
    "CONNECT",
    "TEMPORARY",
]
Objects: TypeAlias = Annotated[list[Annotated[str, Field(pattern=_OBJECT)]], Field(max_length=200)]


class GrantRule(BaseModel):
    """Privileges that a role has, on objects of one or more kinds."""

    model_config = _CONFIG

    role: str = Field(min_length=1, max_length=63, description="Who has them; `public` is every role")
    privileges: list[Privilege] = Field(min_length=1, max_length=20, description="Which")
    tables: Objects = Field(default_factory=list, description="On which tables and views; `shop.*` is all of a schema")
    sequences: Objects = Field(default_factory=list, description="On which sequences")
    schemas: Objects = Field(default_factory=list, description="On which schemas")
    database: str | None = Field(default=None, max_length=63, description="On which database")

    def objects(self) -> Iterator[tuple[Kind, list[str]]]:
        """Yield the objects of each kind."""
        yield "TABLE", self.tables
        yield "SEQUENCE", self.sequences
        yield "SCHEMA", self.schemas
        yield "DATABASE", [] if self.database is None else [self.database]


def _unique(items: list[Named]) -> list[Named]:
    seen: set[str] = set()
    for place, item in enumerate(items):
        if item.name in seen:
            raise ValueError(f"item {place} has the name of an earlier one: each needs its own")
        seen.add(item.name)
    return items


class Parameters(BaseModel):
    """Which databases, which migrations, and the rules between them."""

    model_config = _CONFIG

    dsn: Dsn | None = Field(
        default=None,
        repr=False,
        validation_alias=AliasChoices("dsn", "uri"),
        description="The connection string, usually from a Secret; `uri` is another name of it",
    )
    username: str | None = Field(
        default=None, max_length=63, description="The user, in place of the connection string's"
    )
    password: Secret | None = Field(
        default=None, repr=False, description="The password, in place of the connection string's"
    )
    ca: str | None = Field(
        default=None,
        max_length=65536,
        description="Certificates in PEM that the server's must be signed by (sslmode verify-full)",
    )
    databases: Annotated[list[Database], AfterValidator(_unique)] = Field(
        default_factory=list, max_length=500, description="Several databases, in place of the one"
    )
    credentials: dict[str, Secret] = Field(
        default_factory=dict, repr=False, description="Passwords by key, for `databases`; from a Secret"
    )
    migrations: Annotated[list[MigrationText], AfterValidator(_unique)] = Field(
        default_factory=list, max_length=2000, description="The migrations, in their order"
    )
    config_map: str | None = Field(
        default=None,
        max_length=253,
        description="A ConfigMap of the Plan's namespace whose keys that end in `.sql` are the migrations",
    )
    folder: str | None = Field(
        default=None, max_length=4096, description="A folder of `.sql` files, below one that the administrator allows"
    )
    grants: list[GrantRule] = Field(
        default_factory=list,
        max_length=200,
        description="Privileges that roles have once the migrations are applied; PostgreSQL only",
    )
    db_schema: str | None = Field(
        default=None,
        alias="schema",
        pattern=_IDENTIFIER,
        description="First in the search path, with the history; created when it is missing. Default: the server's",
    )
    table: str = Field(default="execloop_migrations", pattern=_IDENTIFIER, description="The history's table")
    baseline: str | None = Field(
        default=None, description="A database without a history has had the migrations up to this one: record them only"
    )
    out_of_order: Choice = Field(
        default="Refuse", description="A migration that stands before one which is applied already"
    )
    missing: Choice = Field(
        default="Refuse", description="A migration that is applied, and missing from the list before one that is listed"
    )
    accept: list[str] = Field(
        default_factory=list,
        max_length=2000,
        description="Migrations whose changed text the history takes over, without running it",
    )
    lock_timeout: Duration = Field(
        default=Duration("5s"),
        description="How long a statement waits for a lock. After that the plan tries the migration again later",
    )
    statement_timeout: Duration = Field(
        default=Duration("0s"), description="How long a statement may take; `0s`: without a limit"
    )
    approve: Literal["Never", "Always"] = Field(
        default="Never", description="`Always`: each migration needs an approval, also with `approval: Automatic`"
    )

    @model_validator(mode="after")
    def _sources(self) -> Parameters:
        if problems := list(self._problems()):
            raise misplaced("sql", problems)
        return self

    def _problems(self) -> Iterator[ParameterProblem]:
        """Yield what is wrong; what another source of the parameters may still bring is `missing`."""
        given = [name for name, value in self._choices().items() if value]
        if len(given) > 1:
            said = f"give one of migrations, configMap and folder, not {' and '.join(given)}"
            yield ParameterProblem((given[-1],), said, "too_many")
        elif not given:
            yield ParameterProblem(("migrations",), "give one of migrations, configMap and folder", "missing")
        if self.dsn is None and not self.databases:
            yield ParameterProblem(("dsn",), "is missing: give it, or databases", "missing")
        if self.grants and any(dsn.startswith(SQLITE) for dsn in self._dsns()):
            yield ParameterProblem(("grants",), "SQLite has no roles", "not_supported")
        for place, each in enumerate(self.databases):
            where = "databases", place
            if each.dsn is None and self.dsn is None:
                yield ParameterProblem((*where, "dsn"), "is missing, and there is no dsn for all of them", "missing")
            if each.credential is not None and each.credential not in self.credentials:
                yield ParameterProblem((*where, "credential"), "credentials has no such key", "missing")

    def _dsns(self) -> list[str]:
        return [dsn for dsn in (self.dsn, *(each.dsn for each in self.databases)) if dsn is not None]

    def _choices(self) -> dict[str, object]:
        return {"migrations": self.migrations, "configMap": self.config_map, "folder": self.folder}
