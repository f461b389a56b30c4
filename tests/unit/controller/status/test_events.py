"""Which transitions are told as Kubernetes Events."""

import asyncio
from datetime import UTC, datetime

import pytest

from execloop.controller.api.v1alpha1 import ExecutionStatus, PlanStatus
from execloop.controller.status.conditions import Done, Progressing, Retrying, Stalled, State, advance
from execloop.controller.status.events import EventRecorder, PlanEvent, transition
from execloop.controller.watch.snapshot import Snapshot
from tests.asynchronous import in_event_loop
from tests.fake_cluster import FakeCluster

NOW = datetime(2026, 1, 2, tzinfo=UTC)
GOING = Progressing("tasks remain")
RETRYING = Retrying("TasksFailed", "x: OSError: down")
READY = Done("Converged", "no tasks remain")
STALLED = Stalled("FatalError", "hopeless")


def status(state: State | None, errors: int = 0, execution: str = "e") -> PlanStatus:
    if state is None:
        return PlanStatus()
    found = ExecutionStatus(id=execution, inputs="i", started_at=NOW, errors=errors)
    return advance(PlanStatus(execution=found), state, 1, NOW)


def snapshot(name: str = "a") -> Snapshot:
    return Snapshot.of({"metadata": {"name": name, "namespace": "team", "uid": "u", "resourceVersion": "5"}})


STALLS = PlanEvent("Warning", "FatalError", "hopeless")


@pytest.mark.parametrize(
    ("before", "after", "drift", "event"),
    [
        (status(None), status(READY), None, None),
        (status(GOING), status(READY), None, None),
        (status(READY), status(READY, execution="f"), None, None),
        (status(READY), status(READY, execution="f"), "x, y", ("Normal", "DriftRepaired")),
        (status(None), status(RETRYING, 1), None, ("Warning", "TasksFailed")),
        (status(RETRYING, 1), status(RETRYING, 2), None, None),
        (status(RETRYING, 1), status(GOING, 1), None, None),
        (status(RETRYING, 1), status(RETRYING, 1, "f"), None, ("Warning", "TasksFailed")),
        (status(RETRYING, 1), status(READY, 1), None, ("Normal", "Recovered")),
        (status(RETRYING, 1), status(READY, 1), "x", ("Normal", "Recovered")),
        (status(None), status(STALLED), None, ("Warning", "FatalError")),
        (status(RETRYING, 1), status(STALLED, 2), None, ("Warning", "FatalError")),
        (status(STALLED), status(STALLED), None, None),
        (status(STALLED), status(Stalled("ExecutionTimeout", "late"), 0, "f"), None, ("Warning", "ExecutionTimeout")),
        (status(STALLED), status(READY), None, ("Normal", "Recovered")),
    ],
    ids=[
        "first quick convergence",
        "convergence",
        "asked for",
        "drift repaired",
        "first error",
        "second error",
        "no error in a run",
        "first error of another execution",
        "recovery",
        "recovery from an error in a repair",
        "stalled at once",
        "stalled after errors",
        "stalled again",
        "stalled for another reason",
        "healed",
    ],
)
def test_a_transition_that_people_care_about_is_one_event(
    before: PlanStatus, after: PlanStatus, drift: str | None, event: tuple[str, str] | None
) -> None:
    found = [(event.type, event.reason) for event in transition(before, after, drift or "")]
    assert found == ([] if event is None else [event])


@in_event_loop
async def test_an_event_is_about_its_plan() -> None:
    cluster, (stalls,) = FakeCluster(), transition(status(None), status(STALLED))
    EventRecorder(cluster.kube).record(snapshot(), stalls)
    await asyncio.sleep(0)
    event = cluster.writes[0].object
    assert event["regarding"] == {
        "apiVersion": "execloop.dev/v1alpha1",
        "kind": "Plan",
        "name": "a",
        "namespace": "team",
        "uid": "u",
        "resourceVersion": "5",
    }
    assert event["metadata"]["namespace"] == "team"
    assert event["note"] == "hopeless; fix the cause, then run `execloop reconcile`"
    assert event["action"] == "Reconcile"
    assert event["reportingController"] == "execloop.dev/operator"


@in_event_loop
async def test_what_is_too_long_for_an_event_is_cut() -> None:
    cluster = FakeCluster()
    EventRecorder(cluster.kube).record(snapshot("a" * 253), PlanEvent("Warning", "FatalError", "€" * 5000))
    await asyncio.sleep(0)
    (write,) = cluster.writes
    assert len(write.object["metadata"]["name"]) <= 253
    assert len(write.object["note"].encode()) <= 1024


@in_event_loop
async def test_one_that_the_api_server_refuses_is_let_go() -> None:
    cluster = FakeCluster()
    cluster.fail_next(403, "Forbidden")
    recorder = EventRecorder(cluster.kube)
    recorder.record(snapshot(), STALLS)
    await asyncio.sleep(0)
    recorder.record(snapshot(), STALLS)
    await asyncio.sleep(0)
    assert (cluster.requests, len(cluster.writes)) == (2, 1)


@in_event_loop
async def test_a_flood_of_them_is_cut_off() -> None:
    cluster = FakeCluster()
    recorder = EventRecorder(cluster.kube)
    for _ in range(200):
        recorder.record(snapshot(), STALLS)
    await asyncio.sleep(0)
    assert len(cluster.writes) == 50
