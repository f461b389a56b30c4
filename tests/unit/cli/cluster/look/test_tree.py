"""All of a Plan at one look."""

from typing import Any

import click

from execloop.cli.cluster.look.history import rows
from execloop.cli.cluster.look.tree import grown
from execloop.cli.display.tree import Branch, draw

PLAN: dict[str, Any] = {
    "metadata": {"name": "a", "namespace": "n"},
    "status": {
        "state": "Retrying",
        "errors": "2/5",
        "progress": "3/7",
        "conditions": [{"type": "Ready", "status": "False", "reason": "TasksFailed", "message": "down"}],
        "execution": {"id": "e1", "runs": 2, "lastError": "down\x1b[2J", "approval": {"digest": "d", "by": "jane"}},
        "pending": {"count": 2, "tasks": ["x", "y"]},
        "history": [
            {
                "id": "e0",
                "generation": 3,
                "result": "Converged",
                "startedAt": "2026-01-01T12:00:00Z",
                "finishedAt": "2026-01-01T12:03:00Z",
                "runs": 2,
                "errors": 1,
                "message": "no tasks remain",
            }
        ],
    },
}


def shown(plan: dict[str, Any]) -> str:
    owned = [("ConfigMap n/page", "Current")]
    return click.unstyle("\n".join(draw(grown(plan, [("Plan n/b", "Waiting")], owned))))


def test_a_tree_is_drawn_with_its_last_branch_closed() -> None:
    root = Branch("root")
    root.add("a").add("b")
    root.add("c")
    assert list(draw(root)) == ["root", "├ a", "│ └ b", "└ c"]


def test_it_has_conditions_execution_tasks_dependencies_and_objects() -> None:
    lines = shown(PLAN)
    for text in (
        "n/a  Retrying",
        "Ready=False TasksFailed",
        "runs 2, errors 2/5, tasks 3/7",
        "approved by jane",
        "tasks that wait (2)",
        "└ y",
        "Plan n/b  Waiting",
        "ConfigMap n/page  Current",
    ):
        assert text in lines


def test_what_plan_code_said_does_not_steer_the_terminal() -> None:
    assert "\x1b" not in shown(PLAN)


def test_a_plan_without_a_status_is_its_name() -> None:
    assert list(draw(grown({"metadata": PLAN["metadata"]}, [], []))) == [f"{click.style('n/a', bold=True)}  New"]


def test_the_history_has_a_row_for_each_execution() -> None:
    ((identity, result, generation, _, took, runs, errors, by, request, message),) = rows(PLAN)
    assert (identity, result, generation, took) == ("e0", "Converged", "3", "3m")
    assert (runs, errors, by, request, message) == ("2", "1", "-", "-", "no tasks remain")


def test_the_history_begins_with_the_last_execution_once_it_has_ended() -> None:
    last = {
        **PLAN["status"]["execution"],
        "finishedAt": "2026-01-01T12:09:00Z",
        "result": "FatalError",
        "generation": 4,
        "message": "down",
    }
    first, second = rows({"status": {**PLAN["status"], "execution": last}})
    assert (first[0], first[1], first[2], first[7], first[9]) == ("e1", "FatalError", "4", "jane", "down")
    assert second[0] == "e0"


def test_the_history_says_what_was_asked_by_whom_and_why() -> None:
    entry = {"request": "skip copy", "requestedBy": "ann", "requestReason": "done by hand"}
    [row] = rows({"status": {"history": [entry]}})
    assert row[-2] == "skip copy by ann: done by hand"
