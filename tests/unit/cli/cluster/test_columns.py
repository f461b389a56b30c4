"""The cells of a Plan in the table of `execloop get`."""

from datetime import UTC, datetime
from typing import Any

from execloop.cli.cluster.columns import header, row

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def plan(**status: Any) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "n", "creationTimestamp": "2026-01-02T11:56:00Z"}
    return {"metadata": metadata, "spec": {"plan": "keys"}, "status": status}


def ready(message: str) -> list[dict[str, str]]:
    return [{"type": "Ready", "status": "False", "message": message}]


def test_the_narrow_table_is_what_kubectl_shows() -> None:
    found = plan(state="Retrying", conditions=ready("down"))
    assert header(wide=False, everywhere=False) == ("NAME", "READY", "STATE", "STATUS", "AGE")
    assert row(found, wide=False, everywhere=False, now=NOW) == ("a", "False", "Retrying", "down", "4m")


def test_the_wide_one_has_plan_progress_errors_execution_and_times() -> None:
    found = plan(
        state="Retrying",
        errors="2/5",
        progress="3/7",
        execution={"id": "e1"},
        nextRunAt="2026-01-02T12:00:20Z",
        lastConvergedAt="2026-01-01T12:00:00Z",
    )
    assert header(wide=True, everywhere=True)[0] == "NAMESPACE"
    assert row(found, wide=True, everywhere=True, now=NOW)[-6:] == ("keys", "3/7", "2/5", "e1", "in 20s", "24h")


def test_one_that_no_operator_has_seen_is_new() -> None:
    assert row(plan(), wide=False, everywhere=False, now=NOW) == ("a", "-", "New", "", "4m")


def test_only_the_wide_table_has_long_messages_whole() -> None:
    found = plan(conditions=ready("x" * 200))
    assert len(row(found, wide=False, everywhere=False)[3]) == 100
    assert len(row(found, wide=True, everywhere=False)[3]) == 200
