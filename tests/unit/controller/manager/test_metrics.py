"""What Prometheus is told."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from execloop._engine.execution import Again, Converged, CreateFailed, Execution, Failed, Interrupted
from execloop.controller.api.v1alpha1 import Condition, PlanStatus
from execloop.controller.manager.metrics import Metrics
from execloop.controller.plancode.runner import Postponed, RunResult
from execloop.controller.watch.packed import conditions_of
from execloop.page.metrics import PageMetrics

DOCUMENT = Path(__file__).parents[4] / "docs" / "metrics.md"
EXECUTION = Execution()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"execloop_{name}", labels)


def observe(metrics: Metrics, statuses: Iterable[PlanStatus] = (), *, leads: bool = True) -> None:
    found = list(statuses)
    metrics.observe_state(
        leader=lambda: leads,
        queue_depth=lambda: 3,
        in_progress=lambda: 2,
        blocked=lambda: 1,
        suspected=lambda: 4,
        waiting_calls=lambda: 5,
        conditions=lambda: Counter(map(conditions_of, found)),
    )
    metrics.observe_watches(lambda: {"red": True, "blue": False})


def test_a_cached_read_counts_by_who_answered(metrics: Metrics) -> None:
    for cached in (True, True, False):
        metrics.read_cached(cached)
    assert [value(metrics, "cached_reads_total", source=source) for source in ("cache", "live")] == [2, 1]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Converged(EXECUTION), "converged"),
        (Again(EXECUTION, 1.0, 0), "again"),
        (Again(EXECUTION, 1.0, 2), "errors"),
        (Interrupted(EXECUTION), "interrupted"),
        (CreateFailed(EXECUTION, ValueError()), "create_failed"),
        (Failed(EXECUTION, ValueError()), "failed"),
        (Postponed("busy"), "postponed"),
    ],
)
def test_a_run_counts_by_what_came_of_it(metrics: Metrics, outcome: Converged | Postponed, told: str) -> None:
    metrics.ran(RunResult(outcome))
    assert value(metrics, "runs_total", outcome=told) == 1


def test_tasks_count_by_what_came_of_them(metrics: Metrics) -> None:
    metrics.ran(RunResult(Again(EXECUTION, 1.0, 1), attempted=3, failed=1))
    assert value(metrics, "tasks_total", outcome="succeeded") == 2
    assert value(metrics, "tasks_total", outcome="failed") == 1


def test_requests_count_by_verb_and_code(metrics: Metrics) -> None:
    metrics.answered("PATCH", 200, 0.1)
    metrics.answered("PATCH", 0, 0.1)
    assert value(metrics, "api_requests_total", verb="PATCH", code="200") == 1
    assert value(metrics, "api_requests_total", verb="PATCH", code="none") == 1
    assert value(metrics, "api_request_duration_seconds_count", verb="PATCH") == 2


def test_a_verb_that_nobody_knows_makes_no_series_of_its_own(metrics: Metrics) -> None:
    for method in ("BREW", "PROPFIND"):
        metrics.answered(method, 405, 0.1)
    assert value(metrics, "api_requests_total", verb="OTHER", code="405") == 2


def test_what_has_not_happened_yet_counts_as_0(metrics: Metrics) -> None:
    assert value(metrics, "reconciles_total", result="error") == 0
    assert value(metrics, "runs_total", outcome="failed") == 0
    assert value(metrics, "tasks_total", outcome="failed") == 0


def test_state_is_read_when_it_is_asked_for(metrics: Metrics) -> None:
    observe(metrics)
    expected = {
        "leader": 1,
        "queue_depth": 3,
        "reconciles_in_progress": 2,
        "plans_blocked": 1,
        "plans_suspected": 4,
        "plan_calls_waiting": 5,
    }
    assert {name: value(metrics, name) for name in expected} == expected


def test_plans_count_by_condition(metrics: Metrics) -> None:
    def status(**conditions: str) -> PlanStatus:
        return PlanStatus(
            conditions=tuple(
                Condition.model_validate(
                    {
                        "type": kind,
                        "status": state,
                        "reason": "X",
                        "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z",
                    }
                )
                for kind, state in conditions.items()
            )
        )

    stalled = status(Ready="False", Stalled="True")
    observe(metrics, [status(Ready="True"), status(Ready="True", Suspended="True"), stalled, PlanStatus()])
    counts = {
        (condition, state): value(metrics, "plans", condition=condition, status=state)
        for condition, state in (
            ("Ready", "True"),
            ("Ready", "False"),
            ("Ready", "Unknown"),
            ("Reconciling", "True"),
            ("Stalled", "True"),
            ("Suspended", "True"),
        )
    }
    assert list(counts.values()) == [2, 1, 1, 0, 1, 1]


# --- the document


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name to type and labels, of each row of the table."""
    rows = re.findall(r"^\| `(execloop_\w+)` \| (\w+) \|([^|]*)\|", DOCUMENT.read_text(), re.MULTILINE)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_the_table_in_the_docs_is_what_is_served(metrics: Metrics) -> None:
    observe(metrics, [PlanStatus()])
    metrics.answered("GET", 200, 0.1)
    metrics.observe_shards(lambda: {0: True, 1: False})
    metrics.observe_contents(lambda: 1)
    page = PageMetrics(metrics.registry)
    asyncio.run(page.answered(None, SimpleNamespace(status=200)))  # type: ignore[arg-type]  # reads the status only
    page.observe_streams(lambda: 1)
    served = {}
    for family in metrics.registry.collect():
        labels = next((tuple(sample.labels) for sample in family.samples), ())
        name = f"{family.name}_total" if family.type == "counter" else family.name
        served[name] = (family.type, tuple(label for label in labels if label != "le"))
    assert documented() == served


def test_each_watched_namespace_has_a_series_that_says_whether_its_watch_works(metrics: Metrics) -> None:
    observe(metrics)
    assert metrics.registry.get_sample_value("execloop_watch_up", {"namespace": "red"}) == 1
    assert metrics.registry.get_sample_value("execloop_watch_up", {"namespace": "blue"}) == 0


def test_a_watch_that_begins_again_is_counted_by_its_reason(metrics: Metrics) -> None:
    restarted = metrics.restarts("plans")
    restarted("silent")
    labels = {"watch": "plans", "reason": "silent"}
    assert metrics.registry.get_sample_value("execloop_watch_restarts_total", labels) == 1
