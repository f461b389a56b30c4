"""How the end of a run maps to the status and to the next delay."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from execloop import ExecutionTimeout, FatalError, ToleranceExceeded, plan
from execloop._engine.execution import Again, Converged, CreateFailed, Execution, Failed, Interrupted, Outcome
from execloop._engine.walk import Stop
from execloop._plans.definition import definition_of
from execloop._plans.registry import Registered, Registry
from execloop.controller.api.v1alpha1 import ExecutionStatus, HistoryEntry, PlanStatus
from execloop.controller.plancode.redaction.redactor import Redactor
from execloop.controller.plancode.runner import RunResult
from execloop.controller.reconcile.commit import AT_REST, Decision, RunAfter
from execloop.controller.reconcile.context import ReconcileContext, Resolved
from execloop.controller.reconcile.execution.outcome import decision_of
from execloop.controller.reconcile.inputs.validation import Validated, validate
from execloop.controller.timing import FIRST_PROGRESS, Times
from execloop.controller.watch.cache import PlanState
from execloop.controller.watch.snapshot import Snapshot

STARTED = 1_000_000.0
NOW = STARTED + 60
DOWN = OSError("the database is down")
SPENT = ToleranceExceeded("6 errors, 5 tolerated")
SPENT.__cause__ = DOWN

PROGRESSING = {"Ready": ("Unknown", "Progressing"), "Reconciling": ("True", "Progressing")}
AFTER_AN_ERROR = {"Ready": ("False", "TasksFailed"), "Reconciling": ("True", "Progressing")}


@plan("noop")
def noop() -> None: ...


def concluded(
    outcome: Outcome,
    *,
    status: PlanStatus | None = None,
    chance: Callable[[], float] = lambda: 0.5,
    age: float = NOW - STARTED,
    **spec: Any,
) -> Decision:
    """Of the execution `e`, begun with the generation 3 of a Plan, in a run that ended NOW."""
    definition = definition_of(noop)
    assert definition is not None
    validated = validate({"plan": "noop", **spec}, Registry([Registered(definition, "tests", "1")]))
    assert isinstance(validated, Validated)
    execution = ExecutionStatus(id="e", inputs="i", started_at=datetime.fromtimestamp(NOW - age, UTC))
    snapshot = Snapshot.of({"metadata": {"name": "a", "namespace": "team", "uid": "u", "generation": 3}})
    snapshot = replace(snapshot, status=(status or PlanStatus()).model_copy(update={"execution": execution}))
    with PlanState(snapshot).working(Stop(), Times(lambda: NOW, lambda: 0.0)) as work:
        ctx = ReconcileContext(work, work.snapshot, validated, Resolved({}, "i", Redactor()))
        ran = RunResult(outcome, ("x",), outcome.execution.last_error)
        due = work.state.progress_wait(execution.started_at.timestamp()) <= 0
        return decision_of(ctx, outcome, ran, chance, progress_due=due or age >= FIRST_PROGRESS)


def delay(decision: Decision) -> float | None:
    return decision.requeue.seconds if isinstance(decision.requeue, RunAfter) else None


def execution(decision: Decision) -> ExecutionStatus:
    assert decision.status.execution is not None
    return decision.status.execution


def state(*, runs: int = 1, errors: int = 0, failed_runs: int = 0, last_error: str | None = None) -> Execution:
    """What the engine counted."""
    return Execution("e", STARTED, runs, errors, failed_runs, last_error=last_error)


def failing(errors: int, failed_runs: int = 1) -> Execution:
    return state(errors=errors, failed_runs=failed_runs, last_error="x, perform: OSError: down")


def written(decision: Decision) -> PlanStatus:
    assert decision.durable
    return decision.status


def shown(decision: Decision) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in written(decision).conditions}


def message(decision: Decision) -> str:
    return next(c.message for c in written(decision).conditions if c.type == "Ready")


def retrying(reason: str) -> dict[str, tuple[str, str]]:
    return {"Ready": ("False", reason), "Reconciling": ("True", "ProgressingWithRetry")}


def stalled(reason: str) -> dict[str, tuple[str, str]]:
    return {"Ready": ("False", reason), "Stalled": ("True", reason)}


@pytest.mark.parametrize(
    ("outcome", "conditions", "seconds"),
    [
        (Converged(state()), {"Ready": ("True", "Converged")}, 600),
        (Again(state(), 1.001), PROGRESSING, 1.001),
        (Again(failing(1, failed_runs=0), 0.5), AFTER_AN_ERROR, 0.5),
        (Again(failing(1), 0.5, failed=1), retrying("TasksFailed"), 1),
        (CreateFailed(state(), DOWN), retrying("CreateFailed"), 1),
        (CreateFailed(failing(4, 2), DOWN), retrying("CreateFailed"), 4),
        (CreateFailed(failing(5), DOWN), stalled("ErrorsExceeded"), 600),
        (Failed(failing(6), SPENT), stalled("ErrorsExceeded"), 600),
        (Failed(failing(1), FatalError("hopeless")), stalled("FatalError"), 600),
        (Failed(state(), TypeError("no tasks")), stalled("FatalError"), 600),
        (Failed(state(), ExecutionTimeout("late")), stalled("ExecutionTimeout"), 600),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Outcome) else "",
)
def test_the_end_of_a_run_decides_conditions_and_delay(
    outcome: Outcome, conditions: dict[str, tuple[str, str]], seconds: float
) -> None:
    decision = concluded(outcome)
    assert (shown(decision), delay(decision)) == (conditions, seconds)


@pytest.mark.parametrize(
    ("outcome", "age", "written"),
    [
        (Again(state(), 1.0), 1.9, False),
        (Again(state(), 1.0), 2.0, True),
        (Again(state(), 1.001), 0.1, True),
        (Again(failing(1, failed_runs=0), 0.0), 0.1, False),
        (Again(failing(1), 0.0, failed=1), 0.1, True),
        (Converged(state()), 0.1, True),
        (Interrupted(state()), 9.0, False),
        (Interrupted(failing(1)), 0.1, True),
    ],
)
def test_a_quick_convergence_is_one_write_and_nothing_older_than_two_seconds_is_known_to_memory_alone(
    outcome: Outcome, age: float, written: bool
) -> None:
    assert concluded(outcome, age=age).durable == written


@pytest.mark.parametrize(("delay", "next_run"), [(0.0, None), (0.5, NOW + 0.5), (9.0, NOW + 9)])
def test_the_time_of_the_next_run_is_told_while_it_is_waited_for(delay: float, next_run: float | None) -> None:
    found = written(concluded(Again(state(), delay))).next_run_at
    assert (found and found.timestamp()) == next_run


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Converged(state()), "no tasks remain"),
        (Again(state(), 9.0), "tasks remain"),
        (Again(failing(1), 1.0, failed=1), "x, perform: OSError: down"),
        (CreateFailed(state(), DOWN), "OSError: the database is down"),
        (CreateFailed(failing(5), DOWN), "create(): OSError: the database is down"),
        (Failed(failing(6), SPENT), "more errors than tolerated; the last: x, perform: OSError: down"),
        (Failed(state(), FatalError("hopeless")), "FatalError: hopeless"),
        (Failed(state(), ExecutionTimeout("not converged")), "ExecutionTimeout: not converged"),
    ],
)
def test_the_message_says_what(outcome: Outcome, text: str) -> None:
    assert message(concluded(outcome)).startswith(text)


class TestDelay:
    @pytest.mark.parametrize(
        ("failed_runs", "sleep", "seconds"), [(1, 1.0, 2), (2, 1.0, 4), (3, 1.0, 8), (9, 1.0, 10), (1, 5.0, 5)]
    )
    def test_after_errors_it_grows_from_the_pause_between_runs_to_its_most(
        self, failed_runs: int, sleep: float, seconds: float
    ) -> None:
        outcome = Again(failing(1, failed_runs), sleep, failed=1)
        assert delay(concluded(outcome, errorBackoff={"initial": "2s", "max": "10s"})) == seconds

    @pytest.mark.parametrize(("number", "seconds"), [(0.0, 90), (1.0, 110)])
    def test_after_errors_it_is_spread_by_a_tenth(self, number: float, seconds: float) -> None:
        outcome = Again(failing(1), 1.0, failed=1)
        found = concluded(outcome, chance=lambda: number, errorBackoff={"initial": "100s", "max": "100s"})
        assert delay(found) == pytest.approx(seconds)

    @pytest.mark.parametrize("outcome", [Converged(state()), Failed(state(), FatalError("hopeless"))])
    @pytest.mark.parametrize(("number", "seconds"), [(0.0, 540), (1.0, 660)])
    def test_at_rest_it_is_spread_by_a_tenth(self, outcome: Outcome, number: float, seconds: float) -> None:
        assert delay(concluded(outcome, chance=lambda: number)) == pytest.approx(seconds)

    @pytest.mark.parametrize("outcome", [Converged(state()), Failed(state(), FatalError("hopeless"))])
    def test_at_rest_with_an_interval_of_zero_nothing_is_due(self, outcome: Outcome) -> None:
        assert concluded(outcome, interval="0s").requeue == AT_REST


class TestStatus:
    def test_while_it_waits_it_says_until_when(self) -> None:
        status = written(concluded(Again(failing(1), 1.0, failed=1)))
        assert status.next_run_at == datetime.fromtimestamp(NOW + 1, UTC)

    @pytest.mark.parametrize("outcome", [Converged(state()), Failed(state(), FatalError("hopeless"))])
    def test_at_rest_it_says_neither_when_nor_how_far(self, outcome: Outcome) -> None:
        before = PlanStatus(next_run_at=datetime.fromtimestamp(NOW, UTC), progress="1/2")
        status = written(concluded(outcome, status=before))
        assert (status.next_run_at, status.progress) == (None, None)

    @pytest.mark.parametrize("outcome", [Converged(state()), Failed(state(), FatalError("hopeless"))])
    def test_at_rest_its_generation_is_observed(self, outcome: Outcome) -> None:
        assert written(concluded(outcome)).observed_generation == 3

    @pytest.mark.parametrize("outcome", [Again(state(), 9.0), Again(failing(1), 1.0, failed=1)])
    def test_under_way_it_is_observed_too(self, outcome: Outcome) -> None:
        assert written(concluded(outcome)).observed_generation == 3

    @pytest.mark.parametrize(
        ("outcome", "at"), [(Converged(state()), NOW), (Failed(state(), FatalError("hopeless")), None)]
    )
    def test_it_remembers_when_it_converged(self, outcome: Outcome, at: float | None) -> None:
        found = written(concluded(outcome)).last_converged_at
        assert found == (None if at is None else datetime.fromtimestamp(at, UTC))

    def test_what_was_decided_before_and_not_written_comes_along(self) -> None:
        decision = concluded(Converged(state()), status=PlanStatus(last_handled_reconcile_at="now"))
        assert written(decision).last_handled_reconcile_at == "now"


class TestExecution:
    def test_it_takes_what_the_engine_counted(self) -> None:
        found = execution(concluded(Again(state(runs=7, errors=3, failed_runs=2, last_error="down"), 1.0, failed=1)))
        assert (found.runs, found.errors, found.failed_runs) == (7, 3, 2)
        assert found.last_error == "down"

    def test_a_create_that_raised_is_a_run_with_one_error(self) -> None:
        found = execution(concluded(CreateFailed(failing(2, 2), DOWN)))
        assert (found.runs, found.errors, found.failed_runs) == (2, 3, 3)
        assert found.last_error == "OSError: the database is down"

    @pytest.mark.parametrize(
        ("outcome", "result"),
        [(Converged(state()), "Converged"), (Failed(state(), FatalError("hopeless")), "FatalError")],
    )
    def test_one_that_ended_says_when_and_how(self, outcome: Outcome, result: str) -> None:
        decision = concluded(outcome)
        assert execution(decision).finished_at == datetime.fromtimestamp(NOW, UTC)
        assert (execution(decision).result, written(decision).execution) == (result, execution(decision))
        assert execution(decision).generation == 3
        assert execution(decision).message in {"no tasks remain", "FatalError: hopeless"}

    @pytest.mark.parametrize(
        "outcome",
        [
            Converged(state()),
            Failed(state(), FatalError("hopeless")),
            Again(state(), 9.0),
            CreateFailed(state(), DOWN),
        ],
    )
    def test_it_is_in_no_history_as_long_as_it_is_the_last(self, outcome: Outcome) -> None:
        assert written(concluded(outcome)).history == ()

    def test_one_that_heals_leaves_the_history_where_an_earlier_version_wrote_it(self) -> None:
        now = datetime.fromtimestamp(NOW, UTC)
        found = [HistoryEntry(id=name, generation=1, started_at=now, finished_at=now, result="x") for name in "ed"]
        decision = concluded(Converged(state()), status=PlanStatus(history=tuple(found)))
        assert [entry.id for entry in written(decision).history] == ["d"]

    @pytest.mark.parametrize("outcome", [Again(state(), 9.0), CreateFailed(state(), DOWN)])
    def test_one_under_way_says_nothing_of_its_end(self, outcome: Outcome) -> None:
        found = execution(concluded(outcome))
        assert (found.finished_at, found.result, found.generation, found.message) == (None, None, None, None)

    @pytest.mark.parametrize(
        ("outcome", "last_error"),
        [
            (Failed(failing(6), SPENT), "x, perform: OSError: down"),
            (Failed(state(), FatalError("hopeless")), "FatalError: hopeless"),
        ],
    )
    def test_its_last_error_is_that_of_a_task_or_else_why_it_ended(self, outcome: Outcome, last_error: str) -> None:
        assert execution(concluded(outcome)).last_error == last_error

    def test_a_long_error_is_cut_to_a_kibibyte(self) -> None:
        found = execution(concluded(CreateFailed(state(), OSError("x" * 5000))))
        assert len((found.last_error or "").encode()) == 1024
