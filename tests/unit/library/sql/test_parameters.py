"""Bad parameters are named by their path, without a value."""

from typing import Any

import pytest

from execloop._engine.errors import InvalidParameters
from execloop._plans.definition import definition_of
from execloop.library.sql import Sql

GOOD = {"dsn": "postgresql://app:hunter2@db/shop", "migrations": [{"name": "a", "sql": "select 1"}]}


def parse(parameters: dict[str, Any]) -> Any:
    definition = definition_of(Sql)
    assert definition is not None
    return definition.parse(parameters)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dsn": None}, "parameters.dsn: is missing: give it, or databases"),
        ({"dsn": "hunter2 x"}, "parameters.dsn: should be a connection string such as postgresql://"),
        ({"dsn": "postgresql:///shop"}, "parameters.dsn: should name a host"),
        ({"dsn": "postgresql://u:hunter2@%2Fvar%2Frun/shop"}, "parameters.dsn: should name a host"),
        ({"dsn": "postgresql://db/shop?passfile=/etc/shadow"}, "parameters.dsn: the option passfile is not allowed"),
        ({"dsn": "host=db sslkey=/key"}, "parameters.dsn: the option sslkey is not allowed"),
        ({"migrations": []}, "parameters.migrations: give one of migrations, configMap and folder"),
        (
            {"folder": "/m"},
            "parameters.folder: give one of migrations, configMap and folder, not migrations and folder",
        ),
        ({"migrations": [{"name": "a"}]}, "parameters.migrations.0.sql: Field required"),
        ({"migrations": [GOOD["migrations"][0]] * 2}, "parameters.migrations: item 1 has the name of an earlier one"),
        (
            {"migrations": [{"name": "a", "sql": "select 1; commit"}]},
            "parameters.migrations.0: the statement COMMIT ends the migration's own transaction",
        ),
        ({"databases": [{"name": "eu", "credential": "x"}]}, "parameters.databases.0.credential: credentials has no"),
        (
            {"dsn": None, "databases": [{"name": "eu"}]},
            "parameters.databases.0.dsn: is missing, and there is no dsn for all of them",
        ),
        ({"table": 'x"; drop'}, "parameters.table: String should match"),
        ({"schema": "a b"}, "parameters.schema: String should match"),
        ({"lockTimeout": 5}, "parameters.lockTimeout: should be a duration"),
        ({"outOfOrder": True}, "parameters.outOfOrder: Input should be 'Refuse' or 'Allow'"),
        ({"migration": []}, "parameters.migration: there is no such parameter; did you mean migrations?"),
    ],
)
def test_a_mistake_is_named_by_its_path(change: dict[str, Any], message: str) -> None:
    given = {name: value for name, value in (GOOD | change).items() if value is not None}
    with pytest.raises(InvalidParameters) as caught:
        parse(given)
    assert str(caught.value).startswith(message)
    assert "hunter2" not in str(caught.value)


def test_the_secret_of_an_operator_for_databases_is_taken_as_it_is() -> None:
    """CloudNativePG's has `uri`, `username` and `password`, among other keys that the plan does not declare."""
    definition = definition_of(Sql)
    assert definition is not None
    assert all(definition.declares(name) for name in ("uri", "username", "password"))
    assert parse({"uri": "postgresql://db/shop", "migrations": GOOD["migrations"]}).dsn == "postgresql://db/shop"


def test_no_parameter_shows_a_secret_of_its_own_accord() -> None:
    given = {**GOOD, "password": "hunter2", "credentials": {"k": "hunter2"}}
    assert "hunter2" not in repr(parse(given))
