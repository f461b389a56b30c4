"""The example of docs/library/sql.md, and what an operator shows of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster
from tests.documentation import blocks
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, operating
from tests.integration.sql.postgres import PASSWORD, Postgres

PAGE = (Path(__file__).parents[3] / "docs" / "library" / "sql.md").read_text()
RIGHTS = [
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop"}},
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "shop"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "shop"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "shop"},
        "subjects": [{"kind": "ServiceAccount", "name": "shop"}],
    },
]

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    with operating(cluster, [namespace], tmp_path, "--plan-address=127.0.0.1") as running:
        yield running


def example() -> tuple[dict[str, Any], dict[str, Any]]:
    """The ConfigMap and the Plan of the page."""
    text = next(block.text for block in blocks(PAGE) if block.language == "yaml")
    configmap, plan = yaml.safe_load_all(text)
    for each in (configmap, plan):
        del each["metadata"]["namespace"]
    return configmap, plan


def apply(kubectl: Kubectl, *objects: dict[str, Any]) -> None:
    kubectl("apply", "--filename=-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def secret(dsn: str) -> dict[str, Any]:
    data = {"uri": dsn, "password": PASSWORD, "jdbc-uri": "jdbc:postgresql://none"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-db-app"}, "stringData": data}


def rights(namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(json.dumps(RIGHTS))
    found[2]["subjects"][0]["namespace"] = namespace
    return found


def test_the_example_of_the_page_migrates_a_database(
    plans: Plans, kubectl: Kubectl, namespace: str, postgres: Postgres, database: str
) -> None:
    configmap, plan = example()
    apply(kubectl, *rights(namespace), secret(postgres.dsn(database)), configmap, plan)
    plans.wait("shop-schema")
    applied = postgres.execute("SELECT name, plan FROM execloop_migrations ORDER BY id", database)
    assert applied == [("001-item", f"{namespace}/shop-schema"), ("002-name", f"{namespace}/shop-schema")]


def test_a_new_migration_in_the_configmap_is_applied_at_once(
    plans: Plans, kubectl: Kubectl, namespace: str, postgres: Postgres, database: str
) -> None:
    configmap, plan = example()
    plan["spec"]["interval"] = "1h"
    apply(kubectl, *rights(namespace), secret(postgres.dsn(database)), configmap, plan)
    plans.wait("shop-schema")
    configmap["data"]["003-colour.sql"] = "alter table item add column colour text"
    apply(kubectl, configmap)
    names = "SELECT name FROM execloop_migrations ORDER BY id"
    plans.until(lambda: len(postgres.execute(names, database)) == 3, "it is applied")


def test_an_approval_is_for_the_exact_text(
    plans: Plans, kubectl: Kubectl, namespace: str, postgres: Postgres, database: str
) -> None:
    configmap, plan = example()
    plan["spec"] |= {"approval": "Manual", "interval": "1s"}
    apply(kubectl, *rights(namespace), secret(postgres.dsn(database)), configmap, plan)
    plans.until(lambda: digest(kubectl) != "", "an approval is wanted")
    approved = digest(kubectl)
    configmap["data"]["001-item.sql"] = "DROP TABLE IF EXISTS item"
    apply(kubectl, configmap)
    kubectl("annotate", "plan", "shop-schema", f"execloop.dev/approve={approved}")
    plans.until(lambda: digest(kubectl) != approved, "the changed text has another digest")
    assert postgres.execute("SELECT to_regclass('execloop_migrations')", database) == [(None,)]


def digest(kubectl: Kubectl) -> str:
    return kubectl("get", "plan", "shop-schema", "--output=jsonpath={.status.pending.digest}")


def test_a_changed_migration_stalls_the_plan_and_shows_no_password(
    plans: Plans, kubectl: Kubectl, namespace: str, postgres: Postgres, database: str
) -> None:
    configmap, plan = example()
    plan["spec"]["interval"] = "1s"
    apply(kubectl, *rights(namespace), secret(postgres.dsn(database)), configmap, plan)
    plans.wait("shop-schema")
    configmap["data"]["001-item.sql"] = "SELECT 1"
    apply(kubectl, configmap)
    plans.wait("shop-schema", "Stalled")
    assert "001-item was changed after it was applied" in plans.message("shop-schema")
    assert PASSWORD not in kubectl("get", "plan,events", "--output=json")


def test_each_migration_may_ask_for_an_approval_of_its_own(
    plans: Plans, kubectl: Kubectl, namespace: str, postgres: Postgres, database: str
) -> None:
    configmap, plan = example()
    plan["spec"]["parameters"]["approve"] = "Always"
    apply(kubectl, *rights(namespace), secret(postgres.dsn(database)), configmap, plan)
    plans.until(lambda: digest(kubectl) != "", "an approval is wanted")
    assert postgres.execute("SELECT to_regclass('item')", database) == [(None,)]
    plans.annotate("shop-schema", approve=digest(kubectl))
    plans.wait("shop-schema")


def test_a_rollout_comes_after_its_migrations(
    plans: Plans, kubectl: Kubectl, namespace: str, postgres: Postgres, database: str
) -> None:
    configmap, plan = example()
    rollout = next(
        found
        for block in blocks(PAGE)
        if block.language == "yaml"
        for found in yaml.safe_load_all(block.text)
        if found.get("metadata", {}).get("name") == "shop-rollout"
    )
    del rollout["metadata"]["namespace"], rollout["spec"]["serviceAccountName"]
    rollout["spec"]["parameters"]["objects"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rolled-out"}}
    ]
    apply(kubectl, *rights(namespace), configmap, plan, rollout)
    plans.until(lambda: plans.condition("shop-rollout")[1] == "DependencyNotReady", "the rollout waits")
    assert kubectl("get", "configmap", "rolled-out", "--ignore-not-found") == ""
    apply(kubectl, secret(postgres.dsn(database)))
    plans.wait("shop-rollout")
    assert kubectl("get", "configmap", "rolled-out", "--ignore-not-found") != ""
    assert postgres.execute("SELECT count(*) FROM execloop_migrations", database) == [(2,)]


def test_an_operator_that_is_killed_in_the_middle_leaves_nothing_stuck(
    plans: Plans, kubectl: Kubectl, namespace: str, postgres: Postgres, database: str, operator: Operator
) -> None:
    configmap, plan = example()
    postgres.execute("CREATE TABLE pause AS SELECT 60 AS seconds; CREATE TABLE done (id int)", database)
    slow = "INSERT INTO done VALUES (1); SELECT pg_sleep(seconds) FROM pause"
    configmap["data"] = {"001-slow.sql": slow}
    apply(kubectl, *rights(namespace), secret(postgres.dsn(database)), configmap, plan)
    running = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database}' AND wait_event = 'PgSleep'"
    plans.until(lambda: postgres.execute(running) != [], "the migration runs")
    operator.kill()
    postgres.execute("DELETE FROM pause", database)
    operator.start()
    plans.wait("shop-schema")
    assert postgres.execute("SELECT count(*) FROM done", database) == [(1,)]
    assert postgres.execute("SELECT name, state FROM execloop_migrations", database) == [("001-slow", "applied")]
