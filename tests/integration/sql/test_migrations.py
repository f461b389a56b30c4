"""The plan `sql` against a real PostgreSQL: what is applied, when, and how often."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from execloop import Context, FatalError, Task
from execloop._engine.tasks import detail_of
from execloop._plans.limits import Limits
from execloop.library.sql import Parameters, Sql
from execloop.testing import aconverge, converge, survive_failures
from tests.integration.sql.postgres import PASSWORD, Postgres

FIRST = {"name": "001-account", "sql": "CREATE TABLE account (id int PRIMARY KEY); INSERT INTO account VALUES (1)"}
SECOND = {"name": "002-name", "sql": "ALTER TABLE account ADD name text DEFAULT '%s;'"}
INDEX = {
    "name": "003-index",
    "sql": "CREATE INDEX CONCURRENTLY by_name ON account (name);\n"
    "CREATE INDEX CONCURRENTLY by_id ON account (id, name)",
    "transaction": False,
}


def make(postgres: Postgres, database: str, *migrations: dict[str, Any], **more: Any) -> Sql:
    given = {"dsn": postgres.dsn(database), "migrations": list(migrations), **more}
    return Sql(Parameters.model_validate(given), Context("shop", namespace="team"))


def history(postgres: Postgres, database: str, columns: str = "name, state") -> list[tuple[Any, ...]]:
    return postgres.execute(f"SELECT {columns} FROM execloop_migrations ORDER BY id", database)


def test_migrations_run_in_order_each_once(postgres: Postgres, database: str) -> None:
    report = converge(make(postgres, database, FIRST, SECOND, INDEX))
    assert report.tasks == 3
    assert history(postgres, database, "name, state, plan") == [
        (name, "applied", "team/shop") for name in ("001-account", "002-name", "003-index")
    ]
    assert postgres.execute("SELECT id, name FROM account", database) == [(1, "%s;")]
    assert converge(make(postgres, database, FIRST, SECOND, INDEX)).tasks == 0


def test_migrations_run_in_order_side_by_side_too(postgres: Postgres, database: str) -> None:
    many = [{"name": f"{n:03}", "sql": f"ALTER TABLE account ADD c{n} int"} for n in range(2, 20)]
    report = converge(make(postgres, database, FIRST, *many), parallelism=8, errors_to_tolerate=0)
    assert report.tasks == 19
    assert [name for name, _ in history(postgres, database)] == ["001-account", *(each["name"] for each in many)]


def test_a_task_has_the_checksum_in_its_name_and_the_exact_sql_as_its_detail(postgres: Postgres, database: str) -> None:
    async def created(*migrations: dict[str, Any]) -> Any:
        (made,) = await make(postgres, database, *migrations).create()
        return made

    task = asyncio.run(created(FIRST))
    other = asyncio.run(created({**FIRST, "sql": "DROP TABLE account"}))
    assert task.name.startswith("001-account [")
    assert task.name != other.name
    assert task.detail.partition("\n")[2] == FIRST["sql"]


def test_asking_what_is_due_writes_nothing(postgres: Postgres, database: str) -> None:
    """A role that may not create a table is asked, so that a write would be an error."""
    tasks = asyncio.run(make(postgres, database, FIRST, schema="shop").create())
    assert len(tasks) == 1
    assert postgres.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'shop'", database) == []
    assert postgres.execute("SELECT to_regclass('execloop_migrations')", database) == [(None,)]


def test_a_schema_is_created_and_comes_first(postgres: Postgres, database: str) -> None:
    converge(make(postgres, database, FIRST, schema="shop"))
    assert postgres.execute("SELECT count(*) FROM shop.account, shop.execloop_migrations", database) == [(1,)]


def test_a_history_in_another_schema_of_the_search_path_is_another_history(postgres: Postgres, database: str) -> None:
    converge(make(postgres, database, FIRST))
    assert converge(make(postgres, database, SECOND | {"sql": "CREATE TABLE own (id int)"}, schema="shop")).tasks == 1
    assert postgres.execute("SELECT name FROM shop.execloop_migrations", database) == [("002-name",)]


def test_a_migration_that_fails_leaves_nothing_and_the_next_waits(postgres: Postgres, database: str) -> None:
    wrong = {"name": "002", "sql": "CREATE TABLE half (id int);\nUPDATE acount SET id = 2"}
    with pytest.raises(Exception, match=r'002, line 2: relation "acount" does not exist \(42P01\)'):
        converge(make(postgres, database, FIRST, wrong, INDEX), errors_to_tolerate=0)
    assert history(postgres, database) == [("001-account", "applied")]
    assert postgres.execute("SELECT to_regclass('half')", database) == [(None,)]


def test_an_error_quotes_no_row(postgres: Postgres, database: str) -> None:
    wrong = {"name": "002", "sql": "CREATE TABLE t (mail text UNIQUE); INSERT INTO t VALUES ('ada@x'), ('ada@x')"}
    with pytest.raises(Exception, match="duplicate key value") as caught:
        converge(make(postgres, database, wrong), errors_to_tolerate=0)
    assert "ada@x" not in str(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([{**FIRST, "sql": "SELECT 2"}, SECOND], "001-account was changed after it was applied"),
        ([FIRST, {"name": "001-b", "sql": "SELECT 1"}, SECOND], "001-b is not applied, and 002-name after it is"),
        ([SECOND], "001-account was applied and is missing"),
    ],
)
def test_what_contradicts_the_history_is_an_error_with_its_name(
    postgres: Postgres, database: str, change: list[dict[str, Any]], message: str
) -> None:
    converge(make(postgres, database, FIRST, SECOND))
    with pytest.raises(FatalError, match=message):
        converge(make(postgres, database, *change))


def test_what_contradicts_the_history_can_be_allowed(postgres: Postgres, database: str) -> None:
    converge(make(postgres, database, FIRST, SECOND))
    late = {"name": "001-b", "sql": "SELECT 1"}
    changed = {**SECOND, "sql": "SELECT 2"}
    allowed = {"outOfOrder": "Allow", "missing": "Allow", "accept": ["002-name"]}
    assert converge(make(postgres, database, late, changed, **allowed)).tasks == 2
    assert converge(make(postgres, database, late, changed, **allowed)).tasks == 0


def test_an_older_list_finds_what_a_newer_one_applied_without_a_complaint(postgres: Postgres, database: str) -> None:
    converge(make(postgres, database, FIRST, SECOND))
    assert converge(make(postgres, database, FIRST)).tasks == 0


def test_a_baseline_is_recorded_and_not_run(postgres: Postgres, database: str) -> None:
    postgres.execute("CREATE TABLE account (id int)", database)
    converge(make(postgres, database, FIRST, SECOND, baseline="001-account"))
    assert history(postgres, database) == [("001-account", "baseline"), ("002-name", "applied")]


def test_a_repeatable_migration_runs_again_when_its_text_changes(postgres: Postgres, database: str) -> None:
    view = {"name": "view", "sql": "CREATE OR REPLACE VIEW v AS SELECT 1 AS a", "repeatable": True}
    assert converge(make(postgres, database, view, FIRST)).tasks == 2
    changed = {**view, "sql": "CREATE OR REPLACE VIEW v AS SELECT 2 AS a"}
    assert converge(make(postgres, database, changed, FIRST)).tasks == 1
    assert postgres.execute("SELECT a FROM v", database) == [(2,)]


def test_another_migration_at_the_same_time_is_waited_for(postgres: Postgres, database: str) -> None:
    plan = make(postgres, database, FIRST)
    (target,) = plan._targets
    key = target.server._key()  # type: ignore[attr-defined]
    with psycopg.connect(postgres.dsn(database)) as other:
        other.execute("SELECT pg_advisory_lock(%s::bigint # hashtext('public')::bigint)", [key])
        with pytest.raises(AssertionError, match="it waits: another session is migrating it"):
            converge(plan, within=2, errors_to_tolerate=0)
    assert converge(plan).tasks == 1


def test_a_lock_of_the_table_is_waited_for(postgres: Postgres, database: str) -> None:
    converge(make(postgres, database, FIRST))
    plan = make(postgres, database, FIRST, SECOND, lockTimeout="50ms")
    with psycopg.connect(postgres.dsn(database)) as other:
        other.execute("LOCK TABLE account")
        with pytest.raises(AssertionError, match="it waits: 002-name: another session has a lock"):
            converge(plan, within=2, errors_to_tolerate=0)
    assert converge(plan).tasks == 1


def test_an_index_that_an_interrupted_attempt_left_invalid_is_built_anew(postgres: Postgres, database: str) -> None:
    converge(make(postgres, database, FIRST, SECOND))
    postgres.execute("INSERT INTO account VALUES (2, 'x'), (3, 'x')", database)
    unique = {"name": "003", "sql": "CREATE UNIQUE INDEX CONCURRENTLY by_name ON account (name)", "transaction": False}
    with pytest.raises(Exception, match="could not create unique index"):
        converge(make(postgres, database, FIRST, SECOND, unique), errors_to_tolerate=0)
    assert history(postgres, database)[-1] == ("003", "started")
    postgres.execute("DELETE FROM account WHERE id = 3", database)
    converge(make(postgres, database, FIRST, SECOND, unique), errors_to_tolerate=0)
    assert postgres.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_name'::regclass", database) == [
        (True,)
    ]
    assert history(postgres, database)[-1] == ("003", "applied")


async def _terminated(postgres: Postgres, database: str) -> None:
    for _ in range(1000):
        found = postgres.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
            " AND query LIKE '%sleep%' AND state = 'active' AND pid <> pg_backend_pid()"
        )
        if found:
            return
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("transaction", [True, False])
def test_a_connection_lost_in_the_middle_leaves_nothing_stuck(
    postgres: Postgres, database: str, transaction: bool
) -> None:
    slow = {
        "name": "002",
        "sql": "CREATE TABLE IF NOT EXISTS one (id int); SELECT pg_sleep(count(*)) FROM account, pause; SELECT 1",
        "transaction": transaction,
    }
    postgres.execute("CREATE TABLE pause AS SELECT 1", database)
    postgres.execute("CREATE TABLE account AS SELECT n FROM generate_series(1, 60) AS n", database)

    async def lived() -> None:
        killer = asyncio.create_task(_terminated(postgres, database))
        with pytest.raises(AssertionError, match="it waits"):
            await aconverge(make(postgres, database, slow), within=1, errors_to_tolerate=0)
        await killer

    asyncio.run(lived())
    postgres.execute("DELETE FROM pause", database)
    assert converge(make(postgres, database, slow), errors_to_tolerate=0).tasks == 1
    assert history(postgres, database) == [("002", "applied")]


def test_it_survives_a_failure_at_each_call(postgres: Postgres) -> None:
    count = {"name": "004", "sql": "CREATE TABLE total AS SELECT count(*) AS n FROM account"}

    def check(database: str) -> None:
        assert [state for _, state in history(postgres, database)] == ["applied"] * 4
        assert postgres.execute("SELECT n FROM total", database) == [(1,)]

    survival = survive_failures(
        lambda database: make(postgres, database, FIRST, SECOND, INDEX, count), world=postgres.create, check=check
    )
    assert len(survival.points) == 24


def test_one_database_with_a_problem_keeps_no_other_from_its_migrations(postgres: Postgres) -> None:
    good, changed, gone = postgres.create(), postgres.create(), "test_missing"
    converge(make(postgres, changed, {**FIRST, "sql": "SELECT 2"}))
    databases = [
        {"name": "good", "dsn": postgres.dsn(good)},
        {"name": "changed", "dsn": postgres.dsn(changed)},
        {"name": "gone", "dsn": postgres.dsn(gone)},
    ]
    with pytest.raises(FatalError, match=r"^changed: 001-account was changed") as caught:
        converge(make(postgres, good, FIRST, databases=databases))
    assert "good" not in str(caught.value)
    assert history(postgres, good) == [("001-account", "applied")]


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        (lambda p: p.dsn().replace(PASSWORD, "wrong-horse-password"), "password authentication failed"),
        (lambda p: p.dsn("missing"), 'database "missing" does not exist'),
    ],
)
def test_no_message_has_the_password(postgres: Postgres, dsn: Callable[[Postgres], str], says: str) -> None:
    plan = Sql(Parameters.model_validate({"dsn": dsn(postgres), "migrations": [FIRST]}), Context("shop"))
    with pytest.raises(Exception, match=says) as caught:
        converge(plan, errors_to_tolerate=0)
    assert "horse" not in repr(caught.value) + str(plan._parameters)


def test_a_server_that_does_not_answer_yet_is_waited_for() -> None:
    plan = Sql(
        Parameters.model_validate({"dsn": "postgresql://a@127.0.0.1:9/a", "migrations": [FIRST]}), Context("shop")
    )
    with pytest.raises(AssertionError, match="it waits: connection failed"):
        converge(plan, within=2, errors_to_tolerate=0)


def test_privileges_are_granted_after_the_migrations_and_again_when_they_are_revoked(
    postgres: Postgres, database: str
) -> None:
    role = f"reader_{database}"
    postgres.execute(f"CREATE ROLE {role}")
    grants = [
        {"role": role, "privileges": ["SELECT", "INSERT"], "tables": ["public.*"]},
        {"role": role, "privileges": ["USAGE"], "schemas": ["shop"]},
        {"role": role, "privileges": ["UPDATE"], "tables": ["shop.item"]},
        {"role": role, "privileges": ["CREATE"], "database": database},
    ]
    shop = {"name": "shop", "sql": "CREATE SCHEMA shop; CREATE TABLE shop.item (id int)"}
    assert converge(make(postgres, database, FIRST, shop, grants=grants), errors_to_tolerate=0).tasks == 7
    postgres.execute(f"REVOKE UPDATE ON shop.item FROM {role}; REVOKE SELECT ON account FROM {role}", database)
    tasks = asyncio.run(make(postgres, database, FIRST, shop, grants=grants).create())
    (first, second) = (task for task in tasks if isinstance(task, Task))
    assert first.name == f"grant SELECT on table public.* to {role}"
    assert detail_of(second) == f'GRANT UPDATE ON TABLE "shop"."item" TO "{role}"'
    assert converge(make(postgres, database, FIRST, shop, grants=grants)).tasks == 2


def test_a_grant_to_a_role_that_is_missing_names_it(postgres: Postgres, database: str) -> None:
    grants = [{"role": 'no"body', "privileges": ["SELECT"], "tables": ["account"]}]
    with pytest.raises(Exception, match='role "no"body" does not exist'):
        converge(make(postgres, database, FIRST, grants=grants), errors_to_tolerate=0)


def test_addresses_that_are_not_allowed_are_not_connected_to(postgres: Postgres, database: str) -> None:
    plan = Sql(
        Parameters.model_validate({"dsn": postgres.dsn(database), "migrations": [FIRST]}),
        Context("shop", limits=Limits()),
    )
    with pytest.raises(Exception, match=r"127\.0\.0\.1 has an internal address: have an administrator"):
        converge(plan, errors_to_tolerate=0)
