"""An SQLite database has had every migration of a folder, in order.

A migration that fails keeps those after it from being tried: each is the child of the one before.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import BaseModel, Field

from execloop import Task, plan


class Parameters(BaseModel):
    database: Path = Field(description="The SQLite file; created when it is missing")
    migrations: Path = Field(description="A folder of .sql files, applied in the order of their names")


class Migrate(Task):
    def __init__(self, database: Path, pending: list[Path]) -> None:
        self.database, self.script, self.rest = database, pending[0], pending[1:]
        self.name = self.script.stem

    def perform(self) -> list[Task]:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            # One transaction for the migration and the note that it was done: there is no moment between the two.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY)")
            for statement in statements(self.script.read_text()):
                connection.execute(statement)
            connection.execute("INSERT INTO migration VALUES (?)", (self.name,))
            connection.execute("COMMIT")
        return [Migrate(self.database, self.rest)] if self.rest else []


def statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@plan("database", parameters=Parameters)
class Database:
    """An SQLite database has had every migration of a folder, in order."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    def create(self) -> list[Task]:
        done = self.applied()
        pending = [path for path in sorted(self.parameters.migrations.glob("*.sql")) if path.stem not in done]
        return [Migrate(self.parameters.database, pending)] if pending else []

    def applied(self) -> set[str]:
        if not self.parameters.database.exists():
            return set()
        with closing(sqlite3.connect(self.parameters.database)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchone():
                return set()
            return {name for (name,) in connection.execute("SELECT name FROM migration")}
