"""When `execloop wait` is done: for the newest spec, and for the newest request."""

from typing import Any

import pytest

from execloop.cli.cluster.act.wait import verdict


def plan(
    *conditions: tuple[str, str, str, int], observed: int = 2, requested: str = "", handled: str = "", **metadata: Any
) -> dict[str, Any]:
    """A Plan of generation 2. Conditions are (type, status, reason, generation)."""
    annotations = {"execloop.dev/requestedAt": requested} if requested else {}
    return {
        "metadata": {"name": "a", "namespace": "n", "generation": 2, "annotations": annotations, **metadata},
        "status": {
            "observedGeneration": observed,
            "lastHandledReconcileAt": handled,
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "observedGeneration": generation}
                for kind, status, reason, generation in conditions
            ],
        },
    }


def ready(generation: int = 2) -> tuple[str, str, str, int]:
    return ("Ready", "True", "Converged", generation)


def stalled(reason: str = "FatalError", generation: int = 2) -> tuple[str, str, str, int]:
    return ("Stalled", "True", reason, generation)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (plan(ready()), "ready"),
        (plan(ready(1), observed=1), "working"),
        (plan(ready(1)), "working"),
        (plan(("Ready", "Unknown", "Progressing", 2)), "working"),
        (plan(("Ready", "False", "TasksFailed", 2)), "working"),
        (plan(stalled()), "stalled"),
        (plan(stalled(generation=1), observed=1), "working"),
        ({"metadata": {"name": "a", "namespace": "n", "generation": 1}}, "working"),
        (plan(ready(), deletionTimestamp="2026-01-01T00:00:00Z"), "working"),
    ],
)
def test_only_what_is_of_the_newest_spec_counts(found: dict[str, Any], expected: str) -> None:
    assert verdict(found) == expected


@pytest.mark.parametrize(
    ("condition", "handled", "expected"),
    [
        (ready(), "earlier", "working"),
        (ready(), "now", "ready"),
        (stalled(), "earlier", "working"),
        (stalled(), "now", "stalled"),
        (stalled("UnknownPlan"), "earlier", "stalled"),
    ],
)
def test_after_a_request_only_the_answer_to_it_counts(
    condition: tuple[str, str, str, int], handled: str, expected: str
) -> None:
    assert verdict(plan(condition, requested="now", handled=handled)) == expected


@pytest.mark.parametrize(("execution", "expected"), [("e1", "working"), ("e2", "stalled")])
def test_after_a_request_about_a_step_only_another_execution_counts(execution: str, expected: str) -> None:
    found = plan(stalled())
    found["metadata"]["annotations"]["execloop.dev/skip"] = "copy@e1"
    found["status"]["execution"] = {"id": execution}
    assert verdict(found) == expected
