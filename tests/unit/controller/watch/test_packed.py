"""What the cache keeps of a Plan at rest, and what a reconcile finds again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop._engine.walk import Stop
from execloop.controller.api.v1alpha1 import PlanStatus
from execloop.controller.timing import Times
from execloop.controller.watch.cache import Cache, Change, Key, PlanState
from execloop.controller.watch.packed import Packed, conditions_of
from execloop.controller.watch.snapshot import Snapshot

KEY = Key("team", "a")
_SPEC = {"plan": "noop"}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
NOW = "2026-01-01T00:00:00Z"
READY = {"type": "Ready", "status": "True", "reason": "Converged", "message": "no tasks remain"}
CONVERGED = {
    "observedGeneration": 1,
    "conditions": [READY | {"lastTransitionTime": NOW, "observedGeneration": 1}],
    "execution": {"id": "e", "inputs": "i", "startedAt": NOW, "finishedAt": NOW, "result": "Converged", "runs": 2},
}


def plan(version: str = "5", spec: Any = _SPEC, status: Any = CONVERGED, **metadata: Any) -> dict[str, Any]:
    common = {"name": "a", "namespace": "team", "uid": "u", "resourceVersion": version, "generation": 1}
    return {"metadata": common | metadata, "spec": spec, "status": status}


def listed(body: dict[str, Any]) -> tuple[Cache, PlanState]:
    cache = Cache()
    cache.put(KEY, body, listed=True)
    state = cache.get(KEY)
    assert state is not None
    return cache, state


@given(JSON_VALUES, st.sampled_from([{}, CONVERGED, {"observedGeneration": -1}, {"conditions": "wrong"}]))
def test_unpacked_it_is_what_it_was(spec: Any, status: Any) -> None:
    annotations = {"execloop.dev/approve": "abc"}
    snapshot = Snapshot.of(plan(spec=spec, status=status, annotations=annotations, finalizers=["f"]))
    packed = Packed.of(snapshot)
    assert packed is not None
    assert packed.unpacked() == snapshot


@given(JSON_VALUES, st.sampled_from([{}, None, CONVERGED, {"observedGeneration": -1}, {"unknown": 1}]))
def test_what_a_list_finds_is_packed_unread_and_unpacked_the_same(spec: Any, status: Any) -> None:
    body = plan(spec=spec, status=status, annotations={"execloop.dev/approve": "abc", "other": "x"}, finalizers=["f"])
    packed = Packed.found(body)
    assert packed is not None
    assert packed.unpacked() == Snapshot.of(body)


def test_it_says_the_conditions_of_a_list_before_it_is_unpacked() -> None:
    found, snapshot = Packed.found(plan()), Snapshot.of(plan())
    assert found is not None
    assert found.conditions is conditions_of(snapshot.stored)


@pytest.mark.parametrize(
    "status", [{"conditions": "wrong"}, {"conditions": [{"type": "Ready"}]}, {"conditions": [7]}, 7]
)
def test_a_status_of_the_wrong_shape_in_a_list_counts_as_none(status: Any) -> None:
    _, state = listed(plan(status=status))
    assert state.snapshot.stored == PlanStatus()
    assert state.conditions == ()


def test_a_status_that_waits_to_be_written_is_never_packed() -> None:
    assert Packed.of(Snapshot.of(plan(), PlanStatus())) is None


def test_a_spec_too_deep_to_pack_is_kept_as_it_is() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"in": deep}
    assert Packed.of(Snapshot.of(plan(spec={"parameters": deep}))) is None


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (plan("5"), Change.NOTHING),
        (plan("6"), Change.NOTHING),
        (plan("6", generation=2), Change.CONCERN),
        (plan("6", status={}), Change.STATUS),
    ],
    ids=["the same", "another label", "another spec", "another status"],
)
def test_a_change_of_a_packed_plan_is_seen(body: dict[str, Any], change: Change) -> None:
    cache, state = listed(plan("5"))
    assert isinstance(state.held, Packed)
    assert cache.put(KEY, body) is change
    assert state.snapshot.generation == body["metadata"]["generation"]


def test_a_reconcile_works_on_one_snapshot_and_leaves_it_packed() -> None:
    _, state = listed(plan())
    with state.working(Stop(), Times(lambda: 0.0, lambda: 0.0)) as work:
        assert state.snapshot is work.snapshot
        state.schedule(None)
    assert isinstance(state.held, Packed)


def test_a_reconcile_that_changes_nothing_packs_nothing_again() -> None:
    _, state = listed(plan())
    before = state.held
    with state.working(Stop(), Times(lambda: 0.0, lambda: 0.0)) as work:
        state.decide(work.snapshot.status.model_copy())
    assert state.held is before


def test_a_status_that_was_written_is_packed_as_it_was_written() -> None:
    _, state = listed(plan(status={}))
    ours = PlanStatus(progress="1/2")
    with state.working(Stop(), Times(lambda: 0.0, lambda: 0.0)):
        state.decide(ours)
        state.send(ours, ours.to_json())
        state.written("6", ours)
    assert isinstance(state.held, Packed)
    assert state.sent is None
    assert state.snapshot.stored == ours


def test_a_decision_that_waits_to_be_written_keeps_a_plan_unpacked() -> None:
    _, state = listed(plan())
    with state.working(Stop(), Times(lambda: 0.0, lambda: 0.0)):
        state.decide(PlanStatus())
    assert state.ahead
    assert state.snapshot.status == PlanStatus()


def test_an_execution_under_way_stays_unpacked_between_its_runs() -> None:
    execution = {key: value for key, value in CONVERGED["execution"].items() if key not in {"finishedAt", "result"}}  # type: ignore[attr-defined]
    _, state = listed(plan(status=CONVERGED | {"execution": execution}))
    with state.working(Stop(), Times(lambda: 0.0, lambda: 0.0)):
        state.schedule(1.0)
    assert isinstance(state.held, Snapshot)


def test_the_conditions_are_known_without_unpacking() -> None:
    _, state = listed(plan())
    assert state.conditions == (("Ready", "True"),)
    assert state.conditions is conditions_of(state.snapshot.stored)


def test_a_check_or_a_retry_comes_after_edits_and_a_run_that_follows_does_not() -> None:
    execution = CONVERGED["execution"] | {"finishedAt": None, "result": None}  # type: ignore[operator]
    failing = execution | {"failedRuns": 1, "errors": 1}
    waits = [listed(plan(status=CONVERGED | {"execution": each}))[1] for each in (CONVERGED["execution"], failing)]
    _, runs = listed(plan(status=CONVERGED | {"execution": execution}))
    for state in (*waits, runs):
        with state.working(Stop(), Times(lambda: 0.0, lambda: 0.0)):
            state.schedule(1.0)
    assert ([state.can_wait for state in waits], runs.can_wait) == ([True, True], False)
