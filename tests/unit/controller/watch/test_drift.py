"""Which changes in the cluster are drift of which Plan."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from execloop import Whole
from execloop.controller.watch.cache import Key
from execloop.controller.watch.drift import DriftWatches
from execloop.kube import PLAN_UID_LABEL, ApiError
from execloop.testing import FakeClock
from tests.asynchronous import in_event_loop
from tests.fake_cluster import FakeCluster
from tests.virtual_time import run_virtually

A, B = Key("team", "a"), Key("team", "b")


class FakeWatch:
    """Stands for a watch of one kind; what it was made with can be seen, and it tells what a test wants."""

    made: list["FakeWatch"]

    def __init__(
        self,
        _kube: object,
        api_version: str,
        kind: str,
        label: str,
        on_event: Callable[[str, dict[str, Any]], None],
        *,
        namespace: str,
        on_denied: Callable[[ApiError], None],
        restarted: Callable[[str], None],
    ) -> None:
        self.about = (api_version, kind, label, namespace)
        self._on_event, self.on_denied = on_event, on_denied
        self.made.append(self)
        self.runs = True

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.runs = False

    def tell(self, event: str, place: str = "team/x", **labels: str) -> None:
        namespace, _, name = place.rpartition("/")
        self._on_event(event, {"name": name, **({"namespace": namespace} if namespace else {}), "labels": labels})


class Manages:
    def __init__(self, *kinds: object) -> None:
        self.watches = kinds


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeWatch]:
    monkeypatch.setattr("execloop.controller.watch.drift.Watch", FakeWatch)
    FakeWatch.made = []
    return FakeWatch.made


class Watching:
    """The watches of all namespaces unless some are named, and whom they told about."""

    def __init__(self, *namespaces: str) -> None:
        self.drifted: list[Key] = []
        self.watches = DriftWatches(FakeCluster().kube, namespaces, self.drifted.append)

    async def declare(self, key: Key, plan: object, uid: str = "") -> None:
        self.watches.declare(key, uid or f"uid-{key.name}", plan)
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the watch of a new kind begins

    async def close(self) -> None:
        await self.watches.close()


LABEL = PLAN_UID_LABEL
MAPS, SECRETS = ("v1", "ConfigMap"), ("v1", "Secret")


class TestWatches:
    @in_event_loop
    async def test_a_kind_is_watched_once_for_all_plans(self, made: list[FakeWatch]) -> None:
        watching = Watching()
        await watching.declare(A, Manages(MAPS))
        await watching.declare(B, Manages(MAPS, SECRETS))
        await watching.declare(B, Manages(MAPS, SECRETS))
        assert [watch.about for watch in made] == [("v1", "ConfigMap", LABEL, ""), ("v1", "Secret", LABEL, "")]
        await watching.close()

    @in_event_loop
    async def test_a_declaration_counts_again_once_its_plan_was_forgotten(self, made: list[FakeWatch]) -> None:
        watching = Watching()
        for _ in range(2):
            await watching.declare(A, Manages(MAPS))
            watching.watches.forget(A)
        await watching.declare(A, Manages())
        await watching.declare(A, Manages(MAPS))
        assert len(made) == 3
        await watching.close()

    @in_event_loop
    async def test_a_plan_that_went_while_its_code_ran_leaves_nothing(self, made: list[FakeWatch]) -> None:
        watching = Watching()
        watching.watches = DriftWatches(FakeCluster().kube, (), watching.drifted.append, exists=lambda *_: False)
        await watching.declare(A, Manages(MAPS))
        assert made == []
        assert not watching.watches._owners
        await watching.close()

    @in_event_loop
    async def test_it_is_watched_in_the_namespaces_of_the_operator(self, made: list[FakeWatch]) -> None:
        watching = Watching("red", "blue")
        await watching.declare(A, Manages(MAPS))
        assert [watch.about[3] for watch in made] == ["red", "blue"]
        await watching.close()

    @pytest.mark.parametrize("plan", [object(), Manages()])
    @in_event_loop
    async def test_a_plan_that_names_none_has_none(self, made: list[FakeWatch], plan: object) -> None:
        watching = Watching()
        await watching.declare(A, plan)
        assert made == []
        await watching.close()

    @pytest.mark.parametrize("kinds", [("ConfigMap",), (("v1",),), (1,), (("v1", "ConfigMap", "x"),)])
    @in_event_loop
    async def test_one_that_names_them_wrongly_is_told_how_to(
        self, made: list[FakeWatch], caplog: pytest.LogCaptureFixture, kinds: tuple[object, ...]
    ) -> None:
        watching = Watching()
        await watching.declare(A, Manages(*kinds))
        assert made == []
        assert "must be pairs of (apiVersion, kind)" in caplog.text
        assert vars(caplog.records[0])["plan"] == "team/a"
        await watching.close()

    @in_event_loop
    async def test_a_watch_ends_with_the_last_plan_that_manages_its_kind(self, made: list[FakeWatch]) -> None:
        watching = Watching()
        await watching.declare(A, Manages(MAPS))
        await watching.declare(B, Manages(MAPS, SECRETS))
        watching.watches.forget(A)
        await asyncio.sleep(0)
        assert [watch.runs for watch in made] == [True, True]
        await watching.declare(B, Manages(SECRETS))
        assert [watch.runs for watch in made] == [False, True]
        watching.watches.forget(B)
        await asyncio.sleep(0)
        assert [watch.runs for watch in made] == [False, False]
        await watching.declare(A, Manages(MAPS))
        assert [watch.runs for watch in made] == [False, False, True]
        await watching.close()

    @in_event_loop
    async def test_a_plan_has_a_hundred_kinds_at_most(
        self, made: list[FakeWatch], caplog: pytest.LogCaptureFixture
    ) -> None:
        watching = Watching()
        await watching.declare(A, Manages(*[("made.up/v1", f"Kind{number}") for number in range(1000)]))
        assert len(made) == 100
        assert "its `watches` has 1000 kinds; the first 100 are watched" in caplog.text
        await watching.close()

    @in_event_loop
    async def test_a_plan_may_name_them_in_its_own_thread(self, made: list[FakeWatch]) -> None:
        watching = Watching()
        thread = threading.Thread(target=watching.watches.declare, args=(A, "uid-a", Manages(MAPS)))
        thread.start()
        thread.join()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(made) == 1
        await watching.close()


class FakeObjectWatch(FakeWatch):
    def __init__(self, *about: Any, contents: object, holds: Callable[[str], bool], **options: Any) -> None:
        super().__init__(*about, **options)
        self.contents, self.holds, self.lists, self.ended = contents, holds, 1, False

    def relist(self) -> None:
        self.lists += 1

    def let_go(self) -> None:
        self.ended = True


class TestWholeObjects:
    @pytest.fixture(autouse=True)
    def whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("execloop.controller.watch.drift.ObjectWatch", FakeObjectWatch)

    @in_event_loop
    async def test_a_kind_has_a_watch_for_whole_objects_and_one_for_metadata_each_for_its_plans(
        self, made: list[FakeWatch]
    ) -> None:
        watching = Watching()
        await watching.declare(A, Manages(Whole("v1", "ConfigMap")))
        await watching.declare(B, Manages(MAPS))
        assert [type(watch) for watch in made] == [FakeObjectWatch, FakeWatch]
        for watch in made:
            watch.tell("MODIFIED", **{LABEL: "uid-a"})
        assert watching.drifted == [A]
        await watching.close()

    @in_event_loop
    async def test_where_a_plan_names_a_kind_twice_whole_objects_are_watched(self, made: list[FakeWatch]) -> None:
        watching = Watching()
        await watching.declare(A, Manages((*MAPS, "", "x"), Whole(*MAPS)))
        assert [type(watch) for watch in made] == [FakeObjectWatch]
        await watching.close()

    @in_event_loop
    async def test_the_contents_of_secrets_are_not_held_and_it_says_so(
        self, made: list[FakeWatch], caplog: pytest.LogCaptureFixture
    ) -> None:
        watching = Watching()
        await watching.declare(A, Manages(Whole(*SECRETS)))
        assert [type(watch) for watch in made] == [FakeWatch]
        assert "its `watches` has Secrets as Whole: their contents are not held, so they are read live" in caplog.text
        await watching.close()

    @in_event_loop
    async def test_a_watch_is_found_by_group_kind_and_version_until_its_last_plan_goes(
        self, made: list[FakeWatch]
    ) -> None:
        watching = Watching("red", "blue")
        await watching.declare(A, Manages(Whole("apps/v1", "Deployment"), Whole("apps/v1beta1", "Deployment")))
        found = watching.watches.whole("apps", "Deployment")
        assert {version: list(places) for version, places in found.items()} == {
            "apps/v1": ["red", "blue"],
            "apps/v1beta1": ["red", "blue"],
        }
        watching.watches.relist()
        watching.watches.forget(A)
        assert not watching.watches.whole("apps", "Deployment")
        assert [(watch.lists, watch.ended) for watch in made if isinstance(watch, FakeObjectWatch)] == [(2, True)] * 4
        await watching.close()


class TestChanges:
    @pytest.mark.parametrize(("event", "drifted"), [("ADDED", []), ("MODIFIED", [A]), ("DELETED", [A])])
    @in_event_loop
    async def test_a_change_to_what_a_plan_owns_is_drift_of_that_plan(
        self, made: list[FakeWatch], event: str, drifted: list[Key]
    ) -> None:
        watching = Watching()
        await watching.declare(A, Manages(MAPS))
        await watching.declare(B, Manages(MAPS))
        made[0].tell(event, **{LABEL: "uid-a"})
        assert watching.drifted == drifted
        await watching.close()

    @pytest.mark.parametrize("labels", [{LABEL: "uid-of-another"}, {}])
    @in_event_loop
    async def test_what_no_known_plan_owns_is_nobodys_drift(
        self, made: list[FakeWatch], labels: dict[str, str]
    ) -> None:
        watching = Watching()
        await watching.declare(A, Manages(MAPS))
        made[0].tell("MODIFIED", **labels)
        assert watching.drifted == []
        await watching.close()

    @in_event_loop
    async def test_a_plan_that_went_has_none(self, made: list[FakeWatch]) -> None:
        watching = Watching()
        await watching.declare(A, Manages(MAPS))
        watching.watches.forget(A)
        made[0].tell("MODIFIED", **{LABEL: "uid-a"})
        assert watching.drifted == []
        await watching.close()

    @in_event_loop
    async def test_a_label_counts_only_on_a_kind_that_its_plan_manages(self, made: list[FakeWatch]) -> None:
        watching = Watching()
        await watching.declare(A, Manages(MAPS))
        await watching.declare(B, Manages(SECRETS))
        made[1].tell("MODIFIED", **{LABEL: "uid-a"})
        assert watching.drifted == []
        await watching.close()

    @pytest.mark.parametrize(
        ("place", "drifted"),
        [("team/mine", [A]), ("away/mine", [A]), ("team/other", []), ("away/other", []), ("mine", [A]), ("other", [])],
    )
    @in_event_loop
    async def test_and_only_on_the_objects_that_it_names_where_it_names_them(
        self, made: list[FakeWatch], place: str, drifted: list[Key]
    ) -> None:
        watching = Watching()
        await watching.declare(A, Manages((*MAPS, "", "mine"), (*MAPS, "away", "mine")))
        made[0].tell("MODIFIED", place, **{LABEL: "uid-a"})
        assert (watching.drifted, len(made)) == (drifted, 1)
        await watching.close()

    @in_event_loop
    async def test_one_that_was_made_anew_has_its_own(self, made: list[FakeWatch]) -> None:
        watching = Watching()
        await watching.declare(A, Manages(MAPS), "first")
        await watching.declare(A, Manages(MAPS), "second")
        made[0].tell("MODIFIED", **{LABEL: "second"})
        assert (watching.drifted, len(made)) == ([A], 1)
        await watching.close()


def test_repairs_of_one_object_come_less_and_less_often(made: list[FakeWatch]) -> None:
    clock = FakeClock()
    looks: list[float] = []

    async def fight() -> None:
        watches = DriftWatches(FakeCluster().kube, (), lambda _: looks.append(clock.now()))
        watches.declare(A, "uid-a", Manages(MAPS))
        for _ in range(600):
            await asyncio.sleep(0.1)
            made[0].tell("MODIFIED", **{LABEL: "uid-a"})
        await watches.close()

    run_virtually(clock, fight)
    assert [round(look) for look in looks] == [0, 2, 6, 14, 30]


def test_a_change_within_the_gap_is_not_lost_and_none_comes_for_a_plan_that_went(made: list[FakeWatch]) -> None:
    clock = FakeClock()
    looks: list[Key] = []

    async def change_twice() -> None:
        watches = DriftWatches(FakeCluster().kube, (), looks.append)
        for key in (A, B):
            watches.declare(key, f"uid-{key.name}", Manages(MAPS))
        await asyncio.sleep(0.1)
        for uid in ("uid-a", "uid-a", "uid-b", "uid-b"):
            made[0].tell("MODIFIED", **{LABEL: uid})
        watches.forget(B)
        await asyncio.sleep(10)
        await watches.close()

    run_virtually(clock, change_twice)
    assert looks == [A, B, A]


@in_event_loop
async def test_a_kind_that_may_not_be_watched_is_told_of(
    made: list[FakeWatch], caplog: pytest.LogCaptureFixture
) -> None:
    watching = Watching()
    await watching.declare(A, Manages(SECRETS))
    made[0].on_denied(ApiError(403, "Forbidden", "no"))
    assert "Secret may not be watched, so its drift is repaired at each Plan's interval" in caplog.text
    await watching.close()
