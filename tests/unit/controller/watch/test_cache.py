"""What the operator holds of each Plan: the newest object, and which changes of it call for a reconcile."""

from typing import Any, TypeAlias

import pytest

from execloop._engine.walk import Stop
from execloop.controller.api.v1alpha1 import PlanStatus
from execloop.controller.timing import Times
from execloop.controller.watch.cache import Cache, Change, Key, PlanState
from execloop.controller.watch.snapshot import parse_status

Object: TypeAlias = dict[str, Any]
KEY = Key("team", "a")


def plan(version: str = "5", *, uid: str = "u", status: Any = None, **metadata: Any) -> Object:
    common = {"name": "a", "namespace": "team", "uid": uid, "resourceVersion": version, "generation": 1}
    return {"metadata": common | metadata, "spec": {"plan": "noop"}, "status": status or {}}


def annotated(**annotations: str) -> Object:
    return {"annotations": {f"execloop.dev/{name}": value for name, value in annotations.items()}}


@pytest.fixture
def cache() -> Cache:
    return Cache()


def held(cache: Cache) -> PlanState:
    track = cache.get(KEY)
    assert track is not None
    return track


class TestPut:
    def test_a_new_plan_calls_for_a_reconcile(self, cache: Cache) -> None:
        assert cache.put(KEY, plan()) is Change.CONCERN
        assert (len(cache), list(cache), held(cache).uid) == (1, [KEY], "u")

    @pytest.mark.parametrize("version", ["4", "5", ""])
    def test_an_object_that_is_not_newer_is_dropped(self, cache: Cache, version: str) -> None:
        cache.put(KEY, plan("5"))
        assert cache.put(KEY, plan(version, generation=2)) is Change.NOTHING
        assert held(cache).snapshot.generation == 1

    def test_versions_are_numbers_not_text(self, cache: Cache) -> None:
        cache.put(KEY, plan("9"))
        assert cache.put(KEY, plan("10", generation=2)) is Change.CONCERN

    @pytest.mark.parametrize(
        ("change", "calls"),
        [
            ({"generation": 2}, True),
            ({"deletionTimestamp": "2026-01-02T00:00:00Z"}, True),
            (annotated(requestedAt="now"), True),
            (annotated(other="x"), False),
            ({"annotations": None}, False),
            ({"labels": {"team": "ours"}}, False),
            ({"finalizers": ["others.example.com/hold"]}, False),
            ({}, False),
        ],
        ids=str,
    )
    def test_a_newer_one_calls_for_a_reconcile_when_what_matters_to_one_has_changed(
        self, cache: Cache, change: Object, calls: bool
    ) -> None:
        cache.put(KEY, plan())
        assert cache.put(KEY, plan("6", **change)) is (Change.CONCERN if calls else Change.NOTHING)
        assert held(cache).snapshot.resource_version == "6"

    def test_a_list_is_the_truth_also_with_a_lower_version(self, cache: Cache) -> None:
        cache.put(KEY, plan("50"))
        assert cache.put(KEY, plan("7", generation=2), listed=True) is Change.CONCERN
        assert held(cache).snapshot.resource_version == "7"

    def test_whoever_brings_a_change_it_is_noticed(self, cache: Cache) -> None:
        noticed: list[tuple[Key, Change, bool]] = []
        cache.changed = lambda *change: noticed.append(change)
        cache.put(KEY, plan())
        cache.put(KEY, plan("6"))
        cache.put(KEY, plan("7", generation=2), listed=True)
        assert noticed == [(KEY, Change.CONCERN, False), (KEY, Change.CONCERN, True)]

    def test_a_newer_object_keeps_what_memory_alone_holds(self, cache: Cache) -> None:
        cache.put(KEY, plan())
        state = held(cache)
        state.schedule(5.0)
        cache.put(KEY, plan("6", generation=2))
        assert held(cache) is state
        assert state.due == 5.0


class TestAnotherUid:
    def test_it_is_another_plan(self, cache: Cache) -> None:
        cache.put(KEY, plan())
        state = held(cache)
        assert cache.put(KEY, plan("6", uid="v")) is Change.CONCERN
        assert held(cache) is not state
        assert held(cache).uid == "v"

    def test_the_run_of_the_one_before_stops_at_its_next_task(self, cache: Cache) -> None:
        cache.put(KEY, plan())
        with held(cache).working(Stop(), Times()) as work:
            cache.put(KEY, plan("6", uid="v"))
            assert work.stop.requested

    def test_a_late_event_of_the_one_before_is_dropped(self, cache: Cache) -> None:
        cache.put(KEY, plan("6", uid="v"))
        assert cache.put(KEY, plan("5", uid="u")) is Change.NOTHING
        assert held(cache).uid == "v"


class TestDrop:
    @pytest.mark.parametrize("uid", [None, "u"])
    def test_a_plan_that_went_is_forgotten_and_its_run_stops(self, cache: Cache, uid: str | None) -> None:
        cache.put(KEY, plan())
        with held(cache).working(Stop(), Times()) as work:
            cache.drop(KEY, uid)
            assert (cache.get(KEY), work.stop.requested) == (None, True)

    def test_one_of_another_uid_stays(self, cache: Cache) -> None:
        cache.put(KEY, plan(uid="v"))
        cache.drop(KEY, "u")
        assert held(cache).uid == "v"

    def test_one_that_is_not_there_is_no_mistake(self, cache: Cache) -> None:
        cache.drop(KEY)
        assert len(cache) == 0

    def test_plans_may_go_while_somebody_goes_through_them(self, cache: Cache) -> None:
        for name in "abc":
            cache.put(Key("team", name), plan())
        for key in cache:
            cache.drop(key)
        assert len(cache) == 0


class TestStatus:
    def test_the_execution_is_taken_from_a_plan_that_is_new_to_this_process(self, cache: Cache) -> None:
        execution = {"id": "e", "inputs": "i", "startedAt": "2026-01-02T00:00:00Z"}
        cache.put(KEY, plan(status={"execution": execution}))
        found = held(cache).snapshot.execution
        assert found is not None
        assert found.id == "e"

    @pytest.mark.parametrize(
        "spoilt",
        [
            None,
            {},
            {"conditions": "Ready"},
            {"observedGeneration": "one"},
            {"execution": {"id": "e"}},
            {"conditions": [{"type": "Ready"}]},
        ],
        ids=str,
    )
    def test_one_that_somebody_spoilt_counts_as_none(self, spoilt: Any) -> None:
        assert parse_status({"status": spoilt}) == PlanStatus()

    def test_a_field_of_a_newer_version_is_ignored(self) -> None:
        assert parse_status({"status": {"progress": "1/2", "mood": "fine"}}) == PlanStatus(progress="1/2")


class TestStatusOfAnotherHand:
    """The watch brings back what this process wrote; anything else was written by another hand."""

    def known(self, cache: Cache) -> PlanState:
        cache.put(KEY, plan(status={"progress": "1/2"}))
        return held(cache)

    def test_it_calls_for_a_reconcile_that_looks_at_the_world(self, cache: Cache) -> None:
        state = self.known(cache)
        assert cache.put(KEY, plan("6", status={})) is Change.STATUS
        assert (state.snapshot.stored, state.snapshot.status.progress, state.look_again) == (PlanStatus(), "1/2", True)

    @pytest.mark.parametrize("answered", [False, True])
    def test_ours_calls_for_none_whether_its_answer_or_its_event_came_first(self, cache: Cache, answered: bool) -> None:
        state, ours = self.known(cache), PlanStatus(progress="2/2")
        state.decide(ours)
        state.send(ours, ours.to_json())
        if answered:
            state.written("6", ours)
        assert cache.put(KEY, plan("6", status={"progress": "2/2"})) is Change.NOTHING
        assert state.snapshot.stored == state.snapshot.status == ours

    def test_another_operators_execution_is_the_one_to_continue(self, cache: Cache) -> None:
        state = self.known(cache)
        state.decide(PlanStatus(progress="2/2"))
        theirs = {"execution": {"id": "e", "inputs": "i", "startedAt": "2026-01-02T00:00:00Z"}}
        cache.put(KEY, plan("6", status=theirs))
        assert state.snapshot.status == state.snapshot.stored == parse_status({"status": theirs})

    def test_an_answer_that_comes_after_a_newer_event_changes_nothing(self, cache: Cache) -> None:
        state = self.known(cache)
        cache.put(KEY, plan("9", generation=2, status={"progress": "1/2"}))
        state.written("8", PlanStatus(progress="2/2"))
        assert (state.snapshot.resource_version, state.snapshot.stored.progress) == ("9", "1/2")


class TestTime:
    """A Plan's own time neither jumps nor runs backwards while an execution lasts."""

    def test_a_step_of_the_wall_clock_is_not_seen(self, cache: Cache) -> None:
        wall, monotonic = 1_000_000.0, 5.0
        times = Times(lambda: wall, lambda: monotonic)
        execution = {"id": "e", "inputs": "i", "startedAt": "1970-01-12T13:46:40Z"}
        cache.put(KEY, plan(status={"execution": execution}))
        with held(cache).working(Stop(), times):
            began = held(cache).now
        wall, monotonic = wall + 3600, monotonic + 2
        with held(cache).working(Stop(), times):
            assert held(cache).now - began == 2

    def test_what_was_written_down_is_never_followed_by_something_older(self, cache: Cache) -> None:
        finished = {"id": "e", "inputs": "i", "startedAt": "2026-01-02T00:00:00Z", "finishedAt": "2026-01-02T01:00:00Z"}
        cache.put(KEY, plan(status={"execution": finished}))
        written = held(cache).snapshot.execution
        assert written is not None
        assert written.finished_at is not None
        with held(cache).working(Stop(), Times(written.started_at.timestamp, lambda: 0.0)):
            assert held(cache).now == written.finished_at.timestamp()


def test_a_key_is_told_as_namespace_and_name() -> None:
    assert str(KEY) == "team/a"
