"""What Plans refer to, and who is told when one of those objects changes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from execloop.controller.watch.cache import Key
from execloop.controller.watch.references import Reference, References
from execloop.kube import ApiError
from tests.asynchronous import in_event_loop
from tests.fake_cluster import FakeCluster

A, B = Key("team", "a"), Key("team", "b")
MAP = Reference("v1", "ConfigMap", "team", "c")
SECRET = Reference("v1", "Secret", "team", "s")
PLAN = Reference("execloop.dev/v1alpha1", "Plan", "team", "x")
ELSEWHERE = Reference("execloop.dev/v1alpha1", "Plan", "elsewhere", "x")


class FakeWatch:
    """Stands for a watch of one kind in one namespace, as long as it runs."""

    running: list["FakeWatch"]

    def __init__(
        self,
        _kube: object,
        api_version: str,
        kind: str,
        label: str | None,
        on_event: Callable[[str, dict[str, Any]], None],
        *,
        namespace: str,
        on_denied: Callable[[ApiError], None],
        restarted: Callable[[str], None],
    ) -> None:
        self.about = (api_version, kind, label, namespace)
        self.tell, self.on_denied = on_event, on_denied
        self.follows = False

    async def run(self) -> None:
        self.running.append(self)
        try:
            await asyncio.Event().wait()
        finally:
            self.running.remove(self)


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch) -> list[FakeWatch]:
    monkeypatch.setattr("execloop.controller.watch.references.Watch", FakeWatch)
    FakeWatch.running = []
    return FakeWatch.running


class Referring:
    """Of an operator of all namespaces unless some are named; `told` is who was told."""

    def __init__(self, *namespaces: str, sees_all_plans: bool = True) -> None:
        self.told: list[Key] = []
        self.unwatched: list[Key] = []
        self.references = References(
            FakeCluster().kube,
            namespaces,
            lambda key, _: self.told.append(key),
            sees_all_plans=sees_all_plans,
            unwatched=self.unwatched.append,
        )

    async def refer(self, key: Key, *references: Reference) -> None:
        self.references.refer(key, references)
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # watches begin and end

    def change(self, reference: Reference) -> list[Key]:
        """Who is told of it."""
        self.told.clear()
        self.references.changed(reference, {"name": reference.name})
        return sorted(self.told)


class TestTold:
    @in_event_loop
    async def test_each_plan_is_told_of_what_it_refers_to(self) -> None:
        referring = Referring()
        await referring.refer(A, MAP, SECRET)
        await referring.refer(B, MAP)
        assert (referring.change(MAP), referring.change(SECRET), referring.change(PLAN)) == ([A, B], [A], [])
        await referring.references.close()

    @in_event_loop
    async def test_and_no_more_of_what_it_referred_to(self) -> None:
        referring = Referring()
        await referring.refer(A, MAP, SECRET)
        await referring.refer(A, SECRET)
        assert (referring.change(MAP), referring.change(SECRET)) == ([], [A])
        referring.references.forget(A)
        assert referring.change(SECRET) == []
        await referring.references.close()

    @pytest.mark.parametrize("event", ["ADDED", "MODIFIED", "DELETED"])
    @in_event_loop
    async def test_each_kind_of_change_counts(self, running: list[FakeWatch], event: str) -> None:
        referring = Referring()
        await referring.refer(A, MAP)
        running[0].tell(event, {"namespace": "team", "name": "c"})
        running[0].tell(event, {"namespace": "team", "name": "another"})
        assert referring.told == [A]
        await referring.references.close()

    @in_event_loop
    async def test_a_cluster_scoped_object_wakes_the_plan_that_refers_to_it(self, running: list[FakeWatch]) -> None:
        referring = Referring()
        await referring.refer(A, Reference("v1", "Namespace", "team", "x"))
        running[0].tell("MODIFIED", {"name": "x"})
        assert referring.told == [A]
        await referring.references.close()


class TestWatches:
    @in_event_loop
    async def test_there_is_one_for_each_kind_and_namespace_as_long_as_it_is_needed(
        self, running: list[FakeWatch]
    ) -> None:
        referring = Referring()
        await referring.refer(A, MAP, MAP._replace(name="d"))
        await referring.refer(B, MAP, SECRET)
        assert sorted(watch.about[1] for watch in running) == ["ConfigMap", "Secret"]
        await referring.refer(B)
        assert [watch.about for watch in running] == [("v1", "ConfigMap", None, "team")]
        await referring.refer(A)
        assert running == []

    @in_event_loop
    async def test_a_change_costs_what_changed_and_not_what_all_plans_refer_to(self, running: list[FakeWatch]) -> None:
        referring, compared = Referring(), 0

        class Counted(str):
            __slots__ = ()

            def __hash__(self) -> int:
                nonlocal compared
                compared += 1
                return super().__hash__()

        for number in range(1000):
            referring.references.refer(Key("team", f"p{number}"), [MAP._replace(name=Counted(number))])
        compared = 0
        referring.references.refer(A, [MAP])
        referring.references.refer(A, [])
        assert compared == 0
        await referring.references.close()

    @pytest.mark.parametrize(
        ("namespaces", "reference", "watched"),
        [((), PLAN, 0), ((), ELSEWHERE, 0), (("team",), PLAN, 0), (("team",), ELSEWHERE, 1)],
    )
    @in_event_loop
    async def test_plans_that_the_operator_watches_anyway_need_none(
        self, running: list[FakeWatch], namespaces: tuple[str, ...], reference: Reference, watched: int
    ) -> None:
        referring = Referring(*namespaces)
        await referring.refer(A, reference)
        assert len(running) == watched
        assert referring.change(reference) == [A]
        await referring.references.close()

    @in_event_loop
    async def test_plans_need_one_where_their_watch_leaves_some_out(self, running: list[FakeWatch]) -> None:
        referring = Referring("team", sees_all_plans=False)
        await referring.refer(A, PLAN)
        assert [watch.about for watch in running] == [("execloop.dev/v1alpha1", "Plan", None, "team")]
        await referring.references.close()

    @in_event_loop
    async def test_one_that_is_not_allowed_is_told_of(
        self, running: list[FakeWatch], caplog: pytest.LogCaptureFixture
    ) -> None:
        referring = Referring()
        await referring.refer(A, SECRET)
        running[0].on_denied(ApiError(403, "Forbidden", "no"))
        assert "Secret in team may not be watched, so Plans that refer to them look again" in caplog.text
        await referring.references.close()


@pytest.mark.parametrize(
    ("reference", "text"), [(MAP, "ConfigMap team/c"), (MAP._replace(namespace=""), "ConfigMap c")]
)
def test_a_reference_is_told_as_kind_and_name(reference: Reference, text: str) -> None:
    assert str(reference) == text


class TestReported:
    @in_event_loop
    async def test_a_change_is_reported_while_its_watch_follows(self, running: list[FakeWatch]) -> None:
        referring = Referring()
        await referring.refer(A, MAP, SECRET)
        assert referring.references.reported(A) == set()
        running[0].follows = True
        assert referring.references.reported(A) == {MAP}
        running[0].follows = False
        assert referring.references.reported(A) == set()
        await referring.references.close()

    @in_event_loop
    async def test_the_watch_of_plans_reports_plans_of_the_operators_namespaces(self) -> None:
        referring = Referring("team")
        await referring.refer(A, PLAN, ELSEWHERE)
        assert referring.references.reported(A) == {PLAN}
        await referring.references.close()

    @in_event_loop
    async def test_nothing_is_reported_to_a_plan_that_does_not_refer_to_it(self, running: list[FakeWatch]) -> None:
        referring = Referring()
        await referring.refer(A, MAP)
        running[0].follows = True
        assert referring.references.reported(B) == set()
        await referring.refer(B, MAP)
        assert referring.references.reported(B) == {MAP}
        await referring.references.close()

    @in_event_loop
    async def test_each_plan_learns_that_a_watch_is_not_allowed_any_longer(self, running: list[FakeWatch]) -> None:
        referring = Referring()
        await referring.refer(A, MAP)
        await referring.refer(B, MAP, SECRET)
        running[0].on_denied(ApiError(403, "Forbidden", "no"))
        assert referring.unwatched == [A, B]
        await referring.references.close()
