"""The plan `sql` with a file of SQLite: the same rules, without a server."""

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from execloop import Context, FatalError
from execloop._plans.limits import Limits
from execloop.library.sql import Parameters, Sql
from execloop.testing import assert_idempotent, converge, survive_failures

FILES = {
    "V1__item.sql": "CREATE TABLE item (id INTEGER);\nINSERT INTO item VALUES (1);",
    "V2__trigger.sql": "CREATE TRIGGER t AFTER INSERT ON item BEGIN SELECT 1; SELECT 2; END;",
    "V10__name.sql": "ALTER TABLE item ADD name TEXT",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "migrations"
    made.mkdir()
    for name, text in FILES.items():
        (made / name).write_text(text)
    return made


def make(folder: Path, database: Path, limits: Limits | None = None, **more: Any) -> Sql:
    parameters = Parameters.model_validate({"dsn": f"sqlite:///{database}", "folder": str(folder), **more})
    context = Context("shop")
    return Sql(parameters, context if limits is None else replace(context, limits=limits))


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def test_the_files_of_a_folder_are_migrations_in_the_order_of_their_numbers(folder: Path, tmp_path: Path) -> None:
    database = tmp_path / "d"
    assert converge(make(folder, database)).tasks == 3
    assert rows(database, "SELECT name FROM execloop_migrations ORDER BY id") == [
        ("V1__item",),
        ("V2__trigger",),
        ("V10__name",),
    ]
    assert_idempotent(make(folder, database))


def test_a_migration_that_fails_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    (folder / "V11.sql").write_text("CREATE TABLE half (id); INSERT INTO absent VALUES (1)")
    with pytest.raises(Exception, match="V11: no such table: absent"):
        converge(make(folder, tmp_path / "d"), errors_to_tolerate=0)
    assert rows(tmp_path / "d", "SELECT count(*) FROM sqlite_master WHERE name = 'half'") == [(0,)]


def test_asking_what_is_due_creates_no_file(folder: Path, tmp_path: Path) -> None:
    import asyncio

    assert len(asyncio.run(make(folder, tmp_path / "d").create())) == 3
    assert not (tmp_path / "d").exists()


def test_it_survives_a_failure_at_each_call(folder: Path) -> None:
    def world() -> Path:
        return Path(tempfile.mkdtemp(dir=folder.parent)) / "d"

    def check(database: Path) -> None:
        assert rows(database, "SELECT count(*) FROM item") == [(1,)]

    assert len(survive_failures(lambda database: make(folder, database), world=world, check=check).points) == 20


def test_files_are_read_only_below_the_folders_that_are_allowed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="outside the folders of --plan-folder, which are: none"):
        converge(make(folder, folder / "d", Limits()))
    allowed = Limits((folder,))
    assert converge(make(folder, folder / "d", allowed)).tasks == 3
    with pytest.raises(FatalError, match="outside the folders"):
        converge(make(folder, tmp_path / "d", allowed))
    with pytest.raises(FatalError, match="outside the folders"):
        converge(make(folder / ".." / "migrations" / "..", folder / "d", allowed))


def test_a_link_that_leads_outside_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("SELECT 1")
    (folder / "V99.sql").symlink_to(tmp_path / "secret")
    with pytest.raises(FatalError, match=r"V99\.sql is outside the folders"):
        converge(make(folder, folder / "d", Limits((folder,))))


def test_a_folder_without_migrations_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"names must end in \.sql"):
        converge(make(tmp_path, tmp_path / "d"))
