"""The conditions of a Plan: a row for each state, and what was before."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.controller.api.v1alpha1 import Condition, PlanStatus
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
    cut,
    is_ready,
    while_tearing_down,
)
from execloop.controller.status.explain import CAUSES

Row: TypeAlias = tuple[str, str]

GENERATION = 7
BEFORE = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
NOW = BEFORE + timedelta(minutes=5)


def status(observed: int = GENERATION - 1, **conditions: Row) -> PlanStatus:
    """As it was left at BEFORE, with conditions that speak of the generation before."""
    return PlanStatus(
        observed_generation=observed,
        conditions=tuple(
            Condition(
                type=kind,
                status=value,  # type: ignore[arg-type]  # a table's text
                reason=reason,
                message="as it was",
                last_transition_time=BEFORE,
                observed_generation=GENERATION - 1,
            )
            for kind, (value, reason) in conditions.items()
        ),
    )


NEVER_SEEN = PlanStatus()
CONVERGED = status(Ready=("True", "Converged"))
STALLED = status(Ready=("False", "FatalError"), Stalled=("True", "FatalError"))
BACKING_OFF = status(Ready=("False", "TasksFailed"), Reconciling=("True", "ProgressingWithRetry"))
UNDER_WAY = status(Ready=("Unknown", "Progressing"), Reconciling=("True", "Progressing"))
SUSPENDED = status(Ready=("True", "Converged"), Suspended=("True", "Suspended"))
BEFORES = {
    "never seen": NEVER_SEEN,
    "converged": CONVERGED,
    "stalled": STALLED,
    "backing off": BACKING_OFF,
    "under way": UNDER_WAY,
    "suspended": SUSPENDED,
}

PROGRESSING = {"Ready": ("Unknown", "Progressing"), "Reconciling": ("True", "Progressing")}
AFTER_AN_ERROR = {"Ready": ("False", "TasksFailed"), "Reconciling": ("True", "Progressing")}
TABLE: list[tuple[State, dict[str, Row], Literal["moves", "stays"]]] = [
    (Progressing("tasks remain"), PROGRESSING, "moves"),
    (Progressing("tasks remain", failed=True), AFTER_AN_ERROR, "moves"),
    *(
        (
            Retrying(reason, "why"),
            {"Ready": ("False", reason), "Reconciling": ("True", "ProgressingWithRetry")},
            "moves",
        )
        for reason in (
            "TasksFailed",
            "CreateFailed",
            "DependencyNotReady",
            "DependencyCycle",
            "ParametersNotFound",
            "ServiceAccountNotFound",
        )
    ),
    (
        Awaiting("tasks remain"),
        {"Ready": ("Unknown", "ApprovalRequired"), "Reconciling": ("True", "ApprovalRequired")},
        "moves",
    ),
    (
        Waiting("the Job runs"),
        {"Ready": ("Unknown", "Waiting"), "Reconciling": ("True", "Waiting")},
        "moves",
    ),
    (TearingDown("a"), {"Ready": ("False", "TearingDown"), "Reconciling": ("True", "TearingDown")}, "stays"),
    (
        TearingDown("a", retrying=True),
        {"Ready": ("False", "TearingDown"), "Reconciling": ("True", "ProgressingWithRetry")},
        "stays",
    ),
    (TeardownFailed("a"), {"Ready": ("False", "TearingDown"), "Stalled": ("True", "TeardownFailed")}, "stays"),
    (Done("Converged", "no tasks remain"), {"Ready": ("True", "Converged")}, "moves"),
    (Done("Previewed", "2 tasks would run"), {"Ready": ("True", "Previewed")}, "moves"),
    *(
        (Stalled(reason, "why"), {"Ready": ("False", reason), "Stalled": ("True", reason)}, "moves")
        for reason in (
            "ErrorsExceeded",
            "FatalError",
            "ExecutionTimeout",
            "NotConverging",
            "PlanCrashes",
            "InvalidSpec",
            "UnknownPlan",
            "InvalidParameters",
            "AccessDenied",
            "NotSupported",
        )
    ),
]


def shown(found: PlanStatus) -> dict[str, Row]:
    return {c.type: (c.status, c.reason) for c in found.conditions}


def condition(found: PlanStatus, kind: str) -> Condition:
    return next(c for c in found.conditions if c.type == kind)


@pytest.mark.parametrize("before", BEFORES.values(), ids=BEFORES)
@pytest.mark.parametrize(("state", "conditions", "generation"), TABLE, ids=str)
def test_a_state_decides_the_conditions_whatever_was_before(
    state: State, conditions: dict[str, Row], generation: str, before: PlanStatus
) -> None:
    after = advance(before, state, GENERATION, NOW)
    assert shown(after) == conditions
    assert after.observed_generation == (GENERATION if generation == "moves" else before.observed_generation)
    assert {c.observed_generation for c in after.conditions} == {GENERATION}


class TestSuspended:
    KEPT: tuple[Any, ...] = (
        (NEVER_SEEN, {"Ready": ("Unknown", "Suspended")}),
        (CONVERGED, {"Ready": ("True", "Converged")}),
        (STALLED, {"Ready": ("False", "FatalError"), "Stalled": ("True", "FatalError")}),
        (BACKING_OFF, {"Ready": ("False", "TasksFailed")}),
        (UNDER_WAY, {"Ready": ("Unknown", "Progressing")}),
        (SUSPENDED, {"Ready": ("True", "Converged")}),
    )

    @pytest.mark.parametrize(("before", "kept"), KEPT, ids=BEFORES)
    def test_with_work_to_do_what_was_known_is_kept_and_speaks_of_what_it_spoke_of(
        self, before: PlanStatus, kept: dict[str, Row]
    ) -> None:
        after = advance(before, Kept(settled=False), GENERATION, NOW)
        assert shown(after) == kept | {"Suspended": ("True", "Suspended")}
        assert after.observed_generation == before.observed_generation
        for kind in kept:
            expected = GENERATION if before is NEVER_SEEN else GENERATION - 1
            assert condition(after, kind).observed_generation == expected
        assert condition(after, "Suspended").observed_generation == GENERATION

    @pytest.mark.parametrize("before", [CONVERGED, STALLED, SUSPENDED])
    def test_with_its_work_done_all_of_it_speaks_of_the_new_generation(self, before: PlanStatus) -> None:
        after = advance(before, Kept(settled=True), GENERATION, NOW)
        known = {kind: row for kind, row in shown(before).items() if kind != "Suspended"}
        assert shown(after) == known | {"Suspended": ("True", "Suspended")}
        assert after.observed_generation == GENERATION
        assert {c.observed_generation for c in after.conditions} == {GENERATION}

    @pytest.mark.parametrize("settled", [False, True])
    def test_its_messages_are_kept_too(self, settled: bool) -> None:
        after = advance(CONVERGED, Kept(settled), GENERATION, NOW)
        assert condition(after, "Ready").message == "as it was"


class TestTransitions:
    @pytest.mark.parametrize(
        ("before", "state", "moved"),
        [
            (NEVER_SEEN, Progressing("tasks remain"), True),
            (UNDER_WAY, Progressing("others remain"), False),
            (UNDER_WAY, Progressing("tasks remain", failed=True), True),
            (BACKING_OFF, Retrying("CreateFailed", "another"), False),
            (BACKING_OFF, Progressing("tasks remain", failed=True), False),
            (BACKING_OFF, Stalled("ErrorsExceeded", "spent"), False),
            (BACKING_OFF, Done("Converged", "no tasks remain"), True),
            (CONVERGED, Done("Converged", "no tasks remain"), False),
            (CONVERGED, Done("Previewed", "2 tasks would run"), False),
            (CONVERGED, Kept(settled=True), False),
            (CONVERGED, Stalled("FatalError", "hopeless"), True),
        ],
        ids=str,
    )
    def test_the_time_moves_with_the_status_of_a_condition_alone(
        self, before: PlanStatus, state: State, moved: bool
    ) -> None:
        after = advance(before, state, GENERATION, NOW)
        assert condition(after, "Ready").last_transition_time == (NOW if moved else BEFORE)

    def test_a_condition_that_comes_back_is_a_new_one(self) -> None:
        going = advance(CONVERGED, Progressing("tasks remain"), GENERATION, NOW)
        assert condition(going, "Reconciling").last_transition_time == NOW

    def test_the_same_state_twice_changes_nothing(self) -> None:
        once = advance(CONVERGED, Stalled("FatalError", "hopeless"), GENERATION, NOW)
        assert advance(once, Stalled("FatalError", "hopeless"), GENERATION, NOW + timedelta(hours=1)) == once


_words = st.sampled_from(["Some", "Other"])
_states = (
    st.builds(Progressing, _words, st.booleans())
    | st.builds(Retrying, _words, _words)
    | st.builds(Done, _words, _words)
    | st.builds(Stalled, _words, _words)
    | st.builds(Kept, st.booleans())
    | st.builds(Awaiting, _words)
    | st.builds(Waiting, _words)
    | st.builds(TearingDown, _words, st.booleans())
    | st.builds(TeardownFailed, _words)
)


@pytest.mark.parametrize("reason", ["TasksFailed", "CreateFailed"])
def test_the_reason_of_the_last_error_stays_while_its_execution_goes_on(reason: str) -> None:
    before = status(Ready=("False", reason), Reconciling=("True", "ProgressingWithRetry"))
    assert shown(advance(before, Progressing("x", failed=True), GENERATION, NOW))["Ready"] == ("False", reason)


@given(st.lists(st.tuples(_states, st.booleans()), max_size=8))
def test_whatever_happens_the_conditions_agree_with_each_other(course: list[tuple[State, bool]]) -> None:
    found, generation = PlanStatus(), 1
    for number, (state, changed) in enumerate(course):
        generation += changed
        before, found = found, advance(found, state, generation, NOW + timedelta(seconds=number))
        rows = shown(found)
        assert not {"Ready", "Stalled"} <= {kind for kind, (value, _) in rows.items() if value == "True"}
        assert not {"Reconciling", "Stalled"} <= rows.keys()
        assert all(value == "True" for kind, (value, _) in rows.items() if kind != "Ready")
        assert before.observed_generation <= found.observed_generation <= generation
        if found.observed_generation != before.observed_generation:
            assert {c.observed_generation for c in found.conditions} <= {found.observed_generation}


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        (Progressing("x"), TearingDown("x")),
        (Progressing("x", failed=True), TearingDown("x", retrying=True)),
        (Retrying("TasksFailed", "x"), TearingDown("x", retrying=True)),
        (Stalled("FatalError", "x"), TeardownFailed("FatalError: x")),
        (Waiting("x"), TearingDown("x")),
        (Awaiting("x"), TearingDown("x")),
        (Kept(settled=False), Kept(settled=False)),
    ],
)
def test_a_plan_that_is_being_deleted_tells_of_its_teardown(state: State, meaning: State) -> None:
    assert while_tearing_down(state) == meaning


def test_a_message_is_cut_to_a_kibibyte() -> None:
    after = advance(NEVER_SEEN, Stalled("FatalError", "x" * 5000), GENERATION, NOW)
    assert {c.type: len(c.message.encode()) for c in after.conditions}["Stalled"] == 1024


@pytest.mark.parametrize(
    ("state", "ending"),
    [
        (Stalled("FatalError", "x" * 5000), "; fix the cause, then run `execloop reconcile`"),
        (TeardownFailed("x" * 5000), f"; {CAUSES['TeardownFailed'].next}"),
    ],
)
def test_in_a_stall_ready_has_the_beginning_of_the_cause_and_the_whole_next_step(state: State, ending: str) -> None:
    ready = next(c for c in advance(NEVER_SEEN, state, GENERATION, NOW).conditions if c.type == "Ready")
    assert ready.message == f"{'x' * 97}…{ending}"


class TestCut:
    @pytest.mark.parametrize(
        ("text", "kept"), [("", ""), ("short", "short"), ("ten bytes.", "ten bytes."), ("eleven byte", "eleven …")]
    )
    def test_what_does_not_fit_ends_in_an_ellipsis(self, text: str, kept: str) -> None:
        assert cut(text, 10) == kept

    @given(st.text("aé€😀"), st.integers(3, 20))
    def test_it_is_well_formed_and_never_longer_than_asked(self, text: str, most: int) -> None:
        found = cut(text, most)
        assert len(found.encode()) <= most
        assert text.startswith(found.removesuffix("…"))

    def test_half_a_surrogate_pair_is_no_reason_to_fail(self) -> None:
        assert cut("bad \udc80") == "bad ?"


@pytest.mark.parametrize(("found", "ready"), [(NEVER_SEEN, False), (CONVERGED, True), (STALLED, False)])
def test_ready_is_what_its_condition_says(found: PlanStatus, ready: bool) -> None:
    assert is_ready(found) is ready
