"""What the operator holds of each Plan: the newest object, and which changes of it call for a reconcile."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from execloop._engine.walk import Stop
from execloop.controller.api.v1alpha1 import PlanStatus
from execloop.controller.watch.cache import Cache, Key, PlanState, parse_status

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
        assert cache.put(KEY, plan())
        assert (len(cache), list(cache), held(cache).uid) == (1, [KEY], "u")

    @pytest.mark.parametrize("version", ["4", "5", ""])
    def test_an_object_that_is_not_newer_is_dropped(self, cache: Cache, version: str) -> None:
        cache.put(KEY, plan("5"))
        assert not cache.put(KEY, plan(version, generation=2))
        assert held(cache).generation == 1

    def test_versions_are_numbers_not_text(self, cache: Cache) -> None:
        cache.put(KEY, plan("9"))
        assert cache.put(KEY, plan("10", generation=2))

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
        assert cache.put(KEY, plan("6", **change)) is calls
        assert held(cache).metadata["resourceVersion"] == "6"

    def test_a_status_alone_calls_for_none_and_is_taken(self, cache: Cache) -> None:
        cache.put(KEY, plan())
        assert not cache.put(KEY, plan("6", status={"progress": "1/2"}))
        assert held(cache).status.progress == "1/2"

    def test_managed_fields_are_not_kept(self, cache: Cache) -> None:
        cache.put(KEY, plan(managedFields=[{"manager": "kubectl"}]))
        cache.put(KEY, plan("6", managedFields=[{"manager": "kubectl"}]))
        assert "managedFields" not in held(cache).metadata

    def test_a_newer_object_keeps_what_memory_alone_holds(self, cache: Cache) -> None:
        cache.put(KEY, plan())
        track = held(cache)
        track.due = 5.0
        cache.put(KEY, plan("6", generation=2))
        assert held(cache) is track
        assert track.due == 5.0


class TestAnotherUid:
    def test_it_is_another_plan(self, cache: Cache) -> None:
        cache.put(KEY, plan())
        track = held(cache)
        assert cache.put(KEY, plan("6", uid="v"))
        assert held(cache) is not track
        assert held(cache).uid == "v"

    def test_the_run_of_the_one_before_stops_at_its_next_task(self, cache: Cache) -> None:
        cache.put(KEY, plan())
        held(cache).stop = stop = Stop()
        cache.put(KEY, plan("6", uid="v"))
        assert stop.requested

    def test_a_late_event_of_the_one_before_is_dropped(self, cache: Cache) -> None:
        cache.put(KEY, plan("6", uid="v"))
        assert not cache.put(KEY, plan("5", uid="u"))
        assert held(cache).uid == "v"


class TestDrop:
    @pytest.mark.parametrize("uid", [None, "u"])
    def test_a_plan_that_went_is_forgotten_and_its_run_stops(self, cache: Cache, uid: str | None) -> None:
        cache.put(KEY, plan())
        held(cache).stop = stop = Stop()
        cache.drop(KEY, uid)
        assert (cache.get(KEY), stop.requested) == (None, True)

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
        found = held(cache).execution
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

    def test_a_draft_is_the_status_with_what_was_decided_since(self) -> None:
        track = PlanState(plan(), PlanStatus(progress="1/2"), pending={"last_handled_reconcile_at": "now"})
        assert track.draft == PlanStatus(progress="1/2", last_handled_reconcile_at="now")
        assert track.status.last_handled_reconcile_at is None


class TestAnswerToOurWrite:
    def track(self) -> PlanState:
        return PlanState(plan(), PlanStatus())

    def test_it_is_the_newest_object(self) -> None:
        track = self.track()
        track.written(plan("6", status={"progress": "1/2"}))
        assert (track.metadata["resourceVersion"], track.status.progress) == ("6", "1/2")

    @pytest.mark.parametrize(
        "come_along",
        [lambda: plan("7", generation=2), lambda: plan("7", **annotated(requestedAt="now"))],
        ids=["spec", "request"],
    )
    def test_what_calls_for_a_reconcile_is_left_to_its_event(self, come_along: Callable[[], Object]) -> None:
        track = self.track()
        track.written(come_along())
        assert (track.generation, track.requested_at, track.metadata["resourceVersion"]) == (1, None, "5")


def test_a_key_is_told_as_namespace_and_name() -> None:
    assert str(KEY) == "team/a"
