"""Objects that a Plan reads and does not own: which are watched, and when a change of one wakes the Plan."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from execloop.controller.watch import reads as module
from execloop.controller.watch.cache import Key
from execloop.controller.watch.drift import DriftWatches
from execloop.controller.watch.reads import read_by
from execloop.controller.watch.references import Reference
from execloop.testing import FakeClock
from tests.asynchronous import in_event_loop
from tests.fake_cluster import FakeCluster
from tests.virtual_time import run_virtually

A, B = Key("team", "a"), Key("team", "b")
MAP = ("v1", "ConfigMap", "team", "c")


class FakeWatch:
    """Stands for a watch of one kind in one namespace; `current` once it has listed."""

    made: list["FakeWatch"]

    def __init__(
        self,
        _kube: object,
        api_version: str,
        kind: str,
        label: str | None,
        on_event: Callable[[str, dict[str, Any]], None],
        *,
        namespace: str,
        **_more: object,
    ) -> None:
        self.about = (api_version, kind, namespace)
        self._on_event, self.current = on_event, True
        self.made.append(self)

    async def run(self) -> None:
        await asyncio.Event().wait()

    def tell(self, event: str = "MODIFIED", name: str = "c") -> None:
        self._on_event(event, {"namespace": "team", "name": name})


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeWatch]:
    monkeypatch.setattr("execloop.controller.watch.references.Watch", FakeWatch)
    FakeWatch.made = []
    return FakeWatch.made


class Reading:
    """A plan of the library that reads some objects."""

    def __init__(self, *reads: tuple[str, str, str, str]) -> None:
        self.reads = reads


Reading.__module__ = "execloop.library.steps.plan"


class Operating:
    """`woken` are the Plans that are to look again."""

    def __init__(self) -> None:
        self.woken: list[Key] = []
        self.watches = DriftWatches(FakeCluster().kube, (), self.woken.append)

    async def declare(self, key: Key, *reads: tuple[str, str, str, str]) -> None:
        self.watches.declare(key, f"uid-{key.name}", Reading(*reads))
        for _ in range(3):
            await asyncio.sleep(0)


@in_event_loop
async def test_a_change_wakes_each_plan_that_reads_the_object(made: list[FakeWatch]) -> None:
    operating = Operating()
    await operating.declare(A, MAP)
    await operating.declare(B, MAP, ("v1", "Secret", "team", "s"))
    assert [watch.about for watch in made] == [("v1", "ConfigMap", "team"), ("v1", "Secret", "team")]
    made[0].tell()
    made[0].tell(name="another")
    assert operating.woken == [A, B]
    await operating.watches.close()


@pytest.mark.parametrize("event", ["ADDED", "MODIFIED", "DELETED"])
@in_event_loop
async def test_each_kind_of_change_counts_but_not_what_the_watch_finds_first(made: list[FakeWatch], event: str) -> None:
    operating = Operating()
    await operating.declare(A, MAP)
    made[0].current = False
    made[0].tell("ADDED")
    assert operating.woken == []
    made[0].current = True
    made[0].tell(event)
    assert operating.woken == [A]
    await operating.watches.close()


@in_event_loop
async def test_a_plan_that_went_or_reads_it_no_more_is_not_woken(made: list[FakeWatch]) -> None:
    operating = Operating()
    await operating.declare(A, MAP)
    await operating.declare(B, MAP)
    operating.watches.forget(A)
    await operating.declare(B)
    made[0].tell()
    assert operating.woken == []
    await operating.watches.close()


def test_an_object_that_changes_all_the_time_wakes_less_and_less_often(made: list[FakeWatch]) -> None:
    async def ten_minutes() -> list[Key]:
        operating = Operating()
        await operating.declare(A, MAP)
        for _ in range(600):
            made[0].tell()
            await asyncio.sleep(1)
        await operating.watches.close()
        return operating.woken

    assert 3 < len(run_virtually(FakeClock(), ten_minutes)) < 12


def test_objects_of_other_namespaces_are_left_out() -> None:
    assert read_by(A, Reading(("v1", "ConfigMap", "other", "c"), MAP)) == (Reference(*MAP),)


def test_a_plan_that_is_not_of_the_library_has_a_use_of_its_own_for_the_name() -> None:
    class Mine:
        reads = 7

    assert read_by(A, Mine()) == ()


def test_a_plan_that_reads_many_objects_has_the_first_of_them_watched() -> None:
    many = [("v1", "ConfigMap", "team", f"c{number}") for number in range(100)]
    assert len(read_by(A, Reading(*many))) == 50


@pytest.mark.parametrize(
    ("most", "namespaces", "watched"),
    [(30, ("red", "red", "red", "red", "blue"), ["red", "red", "red", "blue"]), (10, ("red", "blue"), ["red", "blue"])],
    ids=["of a namespace", "a share of one"],
)
@in_event_loop
async def test_watches_are_bounded_and_one_namespace_takes_none_of_another(
    made: list[FakeWatch],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    most: int,
    namespaces: tuple[str, ...],
    watched: list[str],
) -> None:
    monkeypatch.setattr(module, "_MOST_WATCHES", most)
    operating = Operating()
    for number, namespace in enumerate(namespaces):
        await operating.declare(Key(namespace, f"p{number}"), ("v1", f"Kind{number}", namespace, "c"))
    assert [namespace for *_, namespace in (watch.about for watch in made)] == watched
    assert ("Kind3 red/c is not watched" in caplog.text) == (len(watched) < len(namespaces))
    await operating.watches.close()


@in_event_loop
async def test_watches_are_bounded_in_all(made: list[FakeWatch], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WATCHES", 10)
    operating = Operating()
    for number in range(12):
        await operating.declare(Key(f"n{number}", "p"), ("v1", "ConfigMap", f"n{number}", "c"))
    assert len(made) == 10
    await operating.watches.close()
