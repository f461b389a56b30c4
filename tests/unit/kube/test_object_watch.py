"""What a watch of whole objects answers: states that the API server had, none older than the Plan's own write."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execloop.kube import PLAN_UID_LABEL, ApiError, Contents, ObjectWatch
from execloop.kube.watch import writes
from tests.api_server import ApiServer
from tests.fake_cluster import FakeCluster

COLLECTION = "/api/v1/namespaces/team/configmaps"
SELECTION = {"labelSelector": PLAN_UID_LABEL}
MINE, THEIRS = "uid-mine", "uid-theirs"


def config_map(name: str, plan: str, value: str = "") -> dict[str, Any]:
    metadata = {"name": name, "labels": {PLAN_UID_LABEL: plan}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}


class Watching:
    """A watch whose events come when a test lets them come, and what a Plan may take for true of each object."""

    def __init__(self, most_bytes: int = 2**20) -> None:
        self.server = ApiServer()
        self.contents = Contents(most_bytes)
        cluster = FakeCluster()
        self.watch = ObjectWatch(cluster.kube, "v1", "ConfigMap", None, lambda *_: None, contents=self.contents)
        self.stream = SimpleNamespace(follows=True, version="0", lists=0)
        self.watch._stream = self.stream  # type: ignore[assignment]
        self.written: dict[str, int] = {}
        """By name, since which version states are no older than the Plan's last write."""
        self.relist()

    def relist(self) -> None:
        self.begin_list()
        self.end_list()

    def begin_list(self) -> None:
        """The server answers from now on; what is written until the answer is here is not in it."""
        self.stream.lists += 1
        self.stream.version = None
        self.listed = json.loads(json.dumps(self.server.answer("GET", COLLECTION, query=SELECTION)))

    def end_list(self) -> None:
        if self.stream.version is not None:
            return
        listed = self.listed
        for found in listed["items"]:
            self.watch.found(found)
        self.watch.listed({("team", found["metadata"]["name"]) for found in listed["items"]})
        self.stream.version = listed["metadata"]["resourceVersion"]

    def deliver(self, most: int = 1000) -> None:
        """Let some of the events come that the server has had since the last."""
        self.end_list()
        events = list(self.server.events(COLLECTION, SELECTION, int(self.stream.version)))
        for version, event in events[:most]:
            self.watch.changed(event["type"], json.loads(json.dumps(event["object"])))
            self.stream.version = str(version)

    def write(self, name: str, plan: str, value: str, *, lost: bool = False) -> None:
        """By a Plan, through its client; `lost`: the answer does not come."""
        path = f"{COLLECTION}/{name}"
        if path in self.server.objects:
            patch = {"metadata": {"labels": {PLAN_UID_LABEL: plan}}, "data": {"value": value}}
            answer = self.server.answer("PATCH", path, patch)
        else:
            answer = self.server.answer("POST", COLLECTION, config_map(name, plan, value))
        self.watch.wrote(plan, ("team", name), None if lost else answer)
        if plan == MINE:
            self.written[name] = self.server.version

    def delete(self, name: str) -> None:
        """By the Plan, through its client."""
        try:
            answer = self.server.answer("DELETE", f"{COLLECTION}/{name}")
        except ApiError:
            self.watch.deleted(MINE, ("team", name), None)
            return
        self.watch.deleted(MINE, ("team", name), answer["metadata"]["uid"])
        self.written[name] = self.server.version

    def others(self, name: str, value: str) -> None:
        """A write or a deletion by another client."""
        path = f"{COLLECTION}/{name}"
        if value:
            body = config_map(name, MINE, value)
            self.server.answer(*(("PATCH", path) if path in self.server.objects else ("POST", COLLECTION)), body)
        elif path in self.server.objects:
            self.server.answer("DELETE", path)

    def states(self, name: str) -> list[dict[str, Any] | None]:
        """Return the states of an object that the Plan may read: the one that it wrote, and all later ones."""
        since, path = self.written.get(name, 0), f"{COLLECTION}/{name}"
        changes = [change for change in self.server.log if change.path == path]
        before = [change.after for change in changes if change.version <= since]
        return [before[-1] if before else None, *(change.after for change in changes if change.version > since)]


NAMES = st.sampled_from(["a", "b"])
VALUES = st.text(alphabet="xyz", min_size=1, max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.sampled_from([MINE, MINE, THEIRS]), VALUES),
    st.tuples(st.just("lose"), NAMES, VALUES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("others"), NAMES, st.one_of(st.just(""), VALUES)),
    st.tuples(st.just("deliver"), st.integers(1, 4)),
    st.tuples(st.just("begin_list")),
    st.tuples(st.just("end_list")),
    st.tuples(st.just("bookmark")),
)


def take(watching: Watching, step: tuple[Any, ...]) -> None:
    match step:
        case "write", name, plan, value:
            watching.write(name, plan, value)
        case "lose", name, value:
            watching.write(name, MINE, value, lost=True)
        case "delete", name:
            watching.delete(name)
        case "others", name, value:
            watching.others(name, value)
        case "deliver", most:
            watching.deliver(most)
        case ("begin_list",):
            watching.begin_list()
        case ("end_list",):
            watching.end_list()
        case _:
            watching.deliver()
            watching.stream.version = str(watching.server.version)


def _mine(state: dict[str, Any] | None) -> dict[str, Any] | None:
    """As the Plan's own objects show a state."""
    return state if state is not None and state["metadata"]["labels"][PLAN_UID_LABEL] == MINE else None


@settings(max_examples=400)
@given(st.lists(STEPS, max_size=30), st.sampled_from([2**20, 1500]))
def test_a_cached_read_is_a_state_since_the_plans_own_last_write(steps: list[Any], most: int) -> None:
    watching = Watching(most)
    for step in steps:
        take(watching, step)
        owned = watching.watch.owned(MINE, "team")
        assert owned is None or [one["metadata"]["name"] for one in owned] == sorted(
            {one["metadata"]["name"] for one in owned}
        )
        for name in ("a", "b"):
            found = watching.watch.get(MINE, ("team", name))
            assert found is None or found in watching.states(name)
            if owned is not None:
                in_list = next((one for one in owned if one["metadata"]["name"] == name), None)
                assert in_list in [_mine(state) for state in watching.states(name)]
        assert watching.contents.bytes <= most


@given(st.lists(STEPS, max_size=30))
def test_once_the_watch_has_come_to_the_end_nothing_is_read_live(steps: list[Any]) -> None:
    watching = Watching()
    for step in steps:
        take(watching, step)
    watching.deliver()
    watching.relist()
    owned = watching.watch.owned(MINE, "team")
    present = [body for path, body in sorted(watching.server.objects.items()) if _mine(body) is not None]
    assert owned == present
    assert not watching.watch._writes._count


class TestReads:
    def test_what_a_plan_has_just_created_is_read_before_the_watch_reports_it(self) -> None:
        watching = Watching()
        watching.write("a", MINE, "1")
        found = watching.watch.get(MINE, ("team", "a"))
        assert found is not None
        assert found["data"] == {"value": "1"}
        assert [one["metadata"]["name"] for one in watching.watch.owned(MINE, "team") or ()] == ["a"]

    def test_objects_of_another_plan_are_not_read(self) -> None:
        watching = Watching()
        watching.write("a", THEIRS, "1")
        watching.deliver()
        assert watching.watch.get(MINE, ("team", "a")) is None
        assert watching.watch.owned(MINE, "team") == []

    def test_a_write_whose_answer_was_lost_is_read_live_until_a_list_that_began_later(self) -> None:
        watching = Watching()
        watching.write("a", MINE, "1", lost=True)
        watching.deliver()
        assert watching.watch.get(MINE, ("team", "a")) is None
        assert watching.watch.owned(MINE, "team") is None
        watching.relist()
        assert watching.watch.owned(MINE, "team") != []

    @pytest.mark.parametrize("lacks", [{"follows": False}, {"version": None}, {"version": "v1.2"}])
    def test_a_watch_that_does_not_follow_answers_nothing(self, lacks: dict[str, Any]) -> None:
        watching = Watching()
        watching.write("a", MINE, "1")
        watching.deliver()
        watching.relist()
        vars(watching.stream).update(lacks)
        assert watching.watch.get(MINE, ("team", "a")) is None
        assert watching.watch.owned(MINE, "team") is None

    def test_an_object_that_was_made_again_is_not_the_old_one(self) -> None:
        watching = Watching()
        watching.write("a", MINE, "old")
        watching.deliver()
        watching.delete("a")
        watching.write("a", MINE, "new")
        found = watching.watch.get(MINE, ("team", "a"))
        assert found is not None
        assert found["data"] == {"value": "new"}

    def test_between_two_deletions_an_older_object_does_not_come_back(self) -> None:
        watching = Watching()
        watching.write("a", MINE, "old")
        watching.deliver()
        watching.others("a", "")
        watching.write("a", MINE, "new")
        watching.delete("a")
        assert watching.watch.get(MINE, ("team", "a")) is None
        assert watching.watch.owned(MINE, "team") is None

    def test_a_deletion_that_was_reported_before_its_answer_came_leaves_nothing_to_wait_for(self) -> None:
        watching = Watching()
        watching.write("a", MINE, "old")
        watching.deliver()
        answer = watching.server.answer("DELETE", f"{COLLECTION}/a")
        watching.deliver()
        watching.watch.deleted(MINE, ("team", "a"), answer["metadata"]["uid"])
        watching.others("a", "new")
        watching.deliver()
        assert watching.watch.get(MINE, ("team", "a")) is not None

    def test_what_was_found_to_be_gone_does_not_come_back(self) -> None:
        watching = Watching()
        watching.write("a", MINE, "1")
        watching.others("a", "")
        watching.delete("a")
        assert watching.watch.get(MINE, ("team", "a")) is None
        assert watching.watch.owned(MINE, "team") is None

    def test_what_is_read_may_be_changed(self) -> None:
        watching = Watching()
        watching.write("a", MINE, "1")
        watching.deliver()
        for _ in range(2):
            found = watching.watch.get(MINE, ("team", "a"))
            assert found is not None
            assert found["data"].pop("value") == "1"

    def test_all_namespaces_are_one_list(self) -> None:
        watching = Watching()
        watching.write("a", MINE, "1")
        watching.deliver()
        assert watching.watch.owned(MINE, "") == watching.watch.owned(MINE, "team") != []
        assert watching.watch.owned(MINE, "other") == []

    @pytest.mark.parametrize("other", [{"kind": "Scale"}, {"apiVersion": "v2"}])
    def test_an_answer_of_another_form_is_not_read_in_place_of_the_object(self, other: dict[str, str]) -> None:
        watching = Watching()
        answer = config_map("a", MINE) | {"metadata": {"name": "a", "resourceVersion": "9999"}} | other
        watching.watch.wrote(MINE, ("team", "a"), answer)
        assert watching.watch.get(MINE, ("team", "a")) is None
        assert watching.watch.owned(MINE, "team") is None

    def test_after_a_backup_was_restored_the_versions_begin_anew(self) -> None:
        watching = Watching()
        watching.watch.wrote(MINE, ("team", "a"), config_map("a", MINE) | {"metadata": {"resourceVersion": "9999"}})
        watching.relist()
        assert watching.watch.owned(MINE, "team") == []


class TestBounds:
    def test_what_does_not_fit_is_read_live(self) -> None:
        watching = Watching(most_bytes=1000)
        for name in ("a", "b"):
            watching.write(name, MINE, "x" * 300)
        watching.deliver()
        assert watching.watch.get(MINE, ("team", "a")) is None
        assert watching.watch.get(MINE, ("team", "b")) is not None
        assert watching.watch.owned(MINE, "team") is None

    def test_of_plans_of_another_replica_nothing_is_held(self) -> None:
        watching = Watching()
        watching.watch._holds = lambda plan: plan != THEIRS
        watching.write("a", THEIRS, "1")
        watching.deliver()
        assert watching.contents.bytes == 0
        assert watching.watch.owned(THEIRS, "team") is None

    def test_a_watch_that_has_ended_holds_nothing(self) -> None:
        watching = Watching()
        watching.write("a", MINE, "1")
        watching.deliver()
        watching.watch.let_go()
        assert watching.contents.bytes == 0

    def test_after_very_many_writes_a_list_is_awaited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writes, "_MOST", 3)
        watching = Watching()
        for name in "abcd":
            watching.write(name, MINE, "1")
        watching.deliver()
        assert watching.watch.owned(MINE, "team") is None
        watching.relist()
        assert len(watching.watch.owned(MINE, "team") or ()) == 4
