"""The one place that writes a Plan's status: what differs, on what it is based on, and what becomes of a conflict."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from execloop._engine.walk import Stop
from execloop.controller.api.v1alpha1 import ExecutionStatus, PlanStatus
from execloop.controller.status.writer import StatusWriter
from execloop.controller.timing import Times
from execloop.controller.watch.cache import Cache, Change, Key, PlanState
from execloop.controller.watch.snapshot import parse_status
from execloop.kube import ApiError
from tests.asynchronous import in_event_loop
from tests.controlling import NAMESPACE, PLANS
from tests.fake_cluster import FakeCluster

KEY = Key(NAMESPACE, "a")
PATH = f"{PLANS}/a"


def execution(name: str, runs: int = 0) -> ExecutionStatus:
    return ExecutionStatus(id=name, inputs="i", started_at=datetime(2026, 1, 2, tzinfo=UTC), runs=runs)


FIRST = PlanStatus(observed_generation=1, progress="1/2", execution=execution("e"))


class Desk:
    """A Plan in a cluster, and a writer that has seen it."""

    def __init__(self) -> None:
        self.cluster, self.cache = FakeCluster(), Cache()
        self.make()
        self.cache.put(KEY, copy.deepcopy(self.live))
        self.writer = StatusWriter(self.cluster.kube, self.cache)

    @property
    def live(self) -> dict[str, Any]:
        return self.cluster.objects[PATH]

    @property
    def state(self) -> PlanState:
        state = self.cache.get(KEY)
        assert state is not None
        return state

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Each status as it was once we had written it."""
        return [write.object["status"] for write in self.cluster.writes]

    async def write(self, status: PlanStatus, overtaken: Callable[[], bool] = lambda: False) -> bool:
        with self.state.working(Stop(), Times()) as work:
            return await self.writer.write(work, status, overtaken)

    def make(self) -> None:
        body = {"kind": "Plan", "metadata": {"name": "a", "namespace": NAMESPACE}, "spec": {"plan": "noop"}}
        self.cluster.answer("POST", PLANS, body)

    def make_anew(self) -> None:
        self.remove()
        self.make()

    def remove(self) -> None:
        self.cluster.answer("DELETE", PATH)

    def label(self) -> None:
        self.cluster.answer("PATCH", PATH, {"metadata": {"labels": {"team": "ours"}}})

    def edit(self) -> None:
        self.cluster.answer("PATCH", PATH, {"spec": {"plan": "another"}})

    def put_status(self, status: dict[str, Any]) -> None:
        self.cluster.answer("PATCH", PATH + "/status", {"status": status})


@pytest.fixture
def desk() -> Desk:
    return Desk()


class TestWrite:
    @in_event_loop
    async def test_the_status_then_stands_in_the_cluster_and_in_the_cache(self, desk: Desk) -> None:
        assert await desk.write(FIRST)
        assert parse_status(desk.live) == FIRST
        assert desk.state.snapshot.stored == FIRST
        assert desk.state.snapshot.resource_version == desk.live["metadata"]["resourceVersion"]

    @in_event_loop
    async def test_an_unchanged_status_sends_nothing(self, desk: Desk) -> None:
        await desk.write(FIRST)
        before = desk.cluster.requests
        assert await desk.write(FIRST)
        assert desk.cluster.requests == before

    @in_event_loop
    async def test_what_is_gone_is_removed(self, desk: Desk) -> None:
        await desk.write(FIRST)
        await desk.write(FIRST.model_copy(update={"progress": None}))
        assert "progress" not in desk.live["status"]

    @in_event_loop
    async def test_every_write_carries_the_execution_whole(self, desk: Desk) -> None:
        await desk.write(FIRST)
        desk.cluster.before_next_request(lambda: desk.put_status({"execution": {"inputs": "spoilt"}}))
        await desk.write(FIRST.model_copy(update={"progress": "2/2"}))
        assert desk.live["status"]["execution"] == execution("e").to_json()

    @in_event_loop
    async def test_writes_are_counted(self, desk: Desk) -> None:
        await desk.write(FIRST)
        await desk.write(FIRST)
        await desk.write(FIRST.model_copy(update={"progress": "2/2"}))
        assert desk.writer.writes == 2

    @in_event_loop
    async def test_it_is_asked_before_the_first_request_whether_the_plan_moved_on(self, desk: Desk) -> None:
        assert not await desk.write(FIRST, lambda: True)
        assert desk.cluster.requests == 0


class TestConflict:
    @in_event_loop
    async def test_the_same_result_is_written_again_on_the_newest_version(self, desk: Desk) -> None:
        desk.label()
        assert await desk.write(FIRST)
        assert parse_status(desk.live) == FIRST
        assert desk.live["metadata"]["labels"] == {"team": "ours"}

    @in_event_loop
    async def test_a_status_that_was_edited_by_hand_is_put_right(self, desk: Desk) -> None:
        await desk.write(FIRST)
        desk.put_status({"progress": "9/9", "conditions": []})
        assert await desk.write(FIRST.model_copy(update={"progress": "2/2"}))
        assert desk.live["status"]["progress"] == "2/2"

    @in_event_loop
    async def test_a_result_that_is_outdated_is_dropped(self, desk: Desk) -> None:
        desk.edit()
        assert not await desk.write(FIRST, lambda: desk.state.snapshot.generation == 2)
        assert desk.sent == []

    @in_event_loop
    async def test_what_the_newest_version_changed_is_noticed(self, desk: Desk) -> None:
        noticed = []
        desk.cache.changed = lambda _key, change, _listed: noticed.append(change)
        desk.edit()
        assert await desk.write(FIRST)
        assert noticed == [Change.CONCERN]

    @in_event_loop
    async def test_the_plan_of_another_uid_becomes_known(self, desk: Desk) -> None:
        state = desk.state
        desk.make_anew()
        assert not await desk.write(FIRST, lambda: desk.cache.get(KEY) is not state)
        assert (desk.sent, desk.state.uid) == ([], desk.live["metadata"]["uid"])

    @in_event_loop
    async def test_a_plan_that_seems_gone_stays_known_until_the_watch_or_a_list_says_so(self, desk: Desk) -> None:
        desk.remove()
        with pytest.raises(ApiError, match="NotFound"):
            await desk.write(FIRST)
        assert desk.cache.get(KEY) is not None

    @in_event_loop
    async def test_one_that_seems_gone_after_the_conflict_too(self, desk: Desk) -> None:
        desk.label()
        desk.cluster.before_next_request(lambda: None, desk.remove)
        with pytest.raises(ApiError, match="NotFound"):
            await desk.write(FIRST)
        assert desk.cache.get(KEY) is not None

    @in_event_loop
    async def test_others_who_write_all_the_time_are_given_way_to(self, desk: Desk) -> None:
        numbers = iter(range(100))

        def write() -> None:
            desk.cluster.answer("PATCH", PATH, {"metadata": {"labels": {"number": str(next(numbers))}}})

        desk.cluster.before_next_request(*[write] * 50)
        with pytest.raises(ApiError, match="5 times in a row"):
            await desk.write(FIRST)


@pytest.mark.parametrize(("status", "reason"), [(0, "Unreachable"), (429, "TooManyRequests"), (503, "Unavailable")])
@in_event_loop
async def test_what_a_retry_may_mend_is_raised(status: int, reason: str) -> None:
    desk = Desk()
    desk.cluster.fail_next(status, reason)
    with pytest.raises(ApiError) as raised:
        await desk.write(FIRST)
    assert (raised.value.reason, desk.sent) == (reason, [])
