"""The state of a Plan in one word, and its errors beside its budget."""

from datetime import UTC, datetime
from typing import Any

import pytest

from execloop.controller.api.v1alpha1 import ExecutionStatus, PlanStatus
from execloop.controller.status.conditions import (
    Awaiting,
    Done,
    Kept,
    Progressing,
    Retrying,
    Stalled,
    State,
    TeardownFailed,
    TearingDown,
    Waiting,
    advance,
)
from execloop.controller.status.state import STATES, errors, finished, state

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TABLE: list[tuple[State, str]] = [
    (Done("Converged", "x"), "Converged"),
    (Done("Previewed", "x"), "Previewed"),
    (Progressing("x"), "Running"),
    (Progressing("x", failed=True), "Running"),
    (Retrying("TasksFailed", "x"), "Retrying"),
    (Retrying("CreateFailed", "x"), "Retrying"),
    (Retrying("DependencyNotReady", "x"), "Waiting"),
    (Retrying("DependencyCycle", "x"), "Waiting"),
    (Retrying("ParametersNotFound", "x"), "Waiting"),
    (Retrying("ServiceAccountNotFound", "x"), "Waiting"),
    (Waiting("x"), "Waiting"),
    (Awaiting("x"), "NeedsApproval"),
    (Stalled("FatalError", "x"), "Stalled"),
    (TearingDown("x"), "TearingDown"),
    (TearingDown("x", retrying=True), "TearingDown"),
    (TeardownFailed("x"), "Stalled"),
    (Kept(settled=False), "Suspended"),
    (Kept(settled=True), "Suspended"),
]


def after(found: State, before: PlanStatus | None = None) -> PlanStatus:
    return advance(before or PlanStatus(), found, 1, NOW)


@pytest.mark.parametrize(("found", "word"), TABLE, ids=str)
def test_each_row_of_conditions_has_its_word(found: State, word: str) -> None:
    assert state(after(found)) == word


def test_every_word_is_of_some_row() -> None:
    assert {word for _, word in TABLE} == set(STATES)


@pytest.mark.parametrize("before", [found for found, _ in TABLE], ids=str)
def test_a_suspended_plan_says_so_whatever_it_was_before(before: State) -> None:
    assert state(after(Kept(settled=True), after(before))) == "Suspended"


def test_a_plan_that_has_not_been_seen_has_no_state() -> None:
    assert state(PlanStatus()) is None


def with_errors(count: int) -> PlanStatus:
    return PlanStatus(execution=ExecutionStatus(id="e", inputs="i", errors=count, started_at=NOW))


@pytest.mark.parametrize(("count", "tolerated", "text"), [(0, 5, "0/5"), (2, 5, "2/5"), (6, 5, "6/5"), (7, -1, "7")])
def test_errors_are_shown_beside_the_budget_where_there_is_one(count: int, tolerated: int, text: str) -> None:
    assert errors(with_errors(count), tolerated) == text


def test_without_an_execution_there_are_no_errors_to_show() -> None:
    assert errors(PlanStatus(), 5) is None


@pytest.mark.parametrize(
    ("spec", "text"),
    [({"errorsToTolerate": 3}, "1/3"), ({}, "1/5"), ({"errorsToTolerate": "three"}, "1/5"), (None, "1/5"), ([], "1/5")],
)
def test_the_budget_is_the_specs_or_the_default(spec: Any, text: str) -> None:
    assert finished(with_errors(1), spec).errors == text


def test_what_a_status_said_before_does_not_matter() -> None:
    stale = after(Stalled("FatalError", "x")).model_copy(update={"state": "Converged", "errors": "9/9"})
    assert (finished(stale, {}).state, finished(stale, {}).errors) == ("Stalled", None)
