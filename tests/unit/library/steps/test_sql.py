"""`do.sql` of a step: the plan `sql`, with its rules for addresses and files."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from execloop._engine.errors import FatalError
from execloop._engine.tasks import Task
from execloop._plans.limits import Limits
from execloop.testing import converge
from tests.unit.library.steps.world import Operated, World, configmap

ROLLOUT = {"name": "rollout", "do": {"apply": configmap("settings", colour="blue")}}


class Migrating(Operated):
    """`limits`: what the administrator allows."""

    limits = Limits((), ())

    def context(self) -> Any:
        made = super().context()
        object.__setattr__(made, "limits", self.limits)
        return made


def migrate(dsn: str, **more: Any) -> dict[str, Any]:
    sql = {"dsn": dsn, "migrations": [{"name": "one", "sql": "create table item (id integer)"}], **more}
    return {"name": "migrate", "do": {"sql": sql}}


def names(found: list[Any]) -> list[str]:
    return [one.name for one in found if isinstance(one, Task)]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def test_what_needs_the_migrations_comes_after_them(database: Path) -> None:
    world = World()
    operated = Migrating(world, migrate(f"sqlite:///{database}"), {**ROLLOUT, "needs": ["migrate"]})
    operated.limits = Limits((database.parent,))
    (first,) = names(asyncio.run(operated.create()))
    assert first.startswith("migrate: one [")
    converge(operated)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("select count(*) from item").fetchone() == (0,)
    assert world.names() == ["settings"]


def test_a_database_that_refuses_keeps_other_steps_from_nothing(database: Path) -> None:
    database.write_bytes(b"no database" * 100)
    operated = Migrating(World(), migrate(f"sqlite:///{database}"), ROLLOUT)
    operated.limits = Limits((database.parent,))
    found = asyncio.run(operated.create())
    assert names(found) == ["rollout: create ConfigMap default/settings", "report 1 step that cannot be looked at"]


def test_the_rules_for_addresses_hold() -> None:
    with pytest.raises(Exception, match=r"migrate: .*169\.254\.169\.254"):
        asyncio.run(Migrating(World(), migrate("postgresql://a@169.254.169.254/b")).create())


@pytest.mark.parametrize("given", [{"dsn": "sqlite:////etc/x.db"}, {"folder": "/etc", "migrations": []}], ids=str)
def test_files_are_reached_below_the_allowed_folders_only(database: Path, given: dict[str, Any]) -> None:
    operated = Migrating(World(), migrate(**{"dsn": f"sqlite:///{database}", **given}))
    operated.limits = Limits((database.parent,))
    with pytest.raises(FatalError, match="migrate: /etc is outside the folders of --plan-folder"):
        asyncio.run(operated.create())
