"""Summaries, the selection of the list, executions as pictures."""

from typing import Any

import pytest

from execloop.controller.status.state import STATES
from execloop.page.access.rights import Visible
from execloop.page.plans.execution import history, under_way
from execloop.page.plans.selection import PAGE, Selection
from execloop.page.plans.shown import as_stored
from execloop.page.plans.store import Store
from execloop.page.plans.summary import BY_ATTENTION, Summary
from tests.asynchronous import in_event_loop

ALL = Visible(None)


def body(
    name: str, namespace: str = "n", state: str = "Converged", plan: str = "p", version: str = "1"
) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "uid": name, "resourceVersion": version}
    conditions = [{"type": "Ready", "status": "True", "reason": state, "message": f"{name} is fine"}]
    return {"metadata": metadata, "spec": {"plan": plan}, "status": {"state": state, "conditions": conditions}}


def store(*bodies: dict[str, Any]) -> Store:
    found = Store()
    for one in bodies:
        found.put(one)
    return found


def test_every_state_has_a_place_in_the_order_of_attention() -> None:
    assert set(BY_ATTENTION) == {*STATES, "New"}


class TestSelection:
    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ({}, ["bad", "b", "a"]),
            ({"sort": "name"}, ["b", "a", "bad"]),
            ({"state": "Stalled"}, ["bad"]),
            ({"state": "Nonsense"}, ["bad", "b", "a"]),
            ({"namespace": "m"}, ["b"]),
            ({"plan": "q"}, ["b"]),
            ({"q": " A IS FINE "}, ["a"]),
            ({"q": "m/b"}, ["b"]),
            ({"q": "none"}, []),
            ({"page": "99"}, ["bad", "b", "a"]),
            ({"page": "-1"}, ["bad", "b", "a"]),
            ({"page": "²"}, ["bad", "b", "a"]),
        ],
    )
    @in_event_loop
    async def test_a_query_selects_and_sorts(self, query: dict[str, str], names: list[str]) -> None:
        plans = store(body("a", "m1"), body("b", "m", plan="q"), body("bad", "n", "Stalled"))
        selection = Selection.of(query)
        found = selection.find(plans.ordered(by_name=selection.by_name), ALL)
        assert [one.name for one in found.rows] == names

    @in_event_loop
    async def test_counts_are_of_what_one_may_see_and_the_filter_by_state_does_not_change_them(self) -> None:
        plans = store(body("a"), body("b", state="Stalled"), body("secret", "hidden", "Stalled"))
        found = Selection.of({"state": "Converged"}).find(plans.ordered(by_name=True), Visible(frozenset({"n"})))
        assert found.states == [("Stalled", 1), ("Converged", 1)]
        assert (found.total, found.of_any_state, found.visible) == (1, 2, 2)
        assert found.namespaces == ["n"]

    @in_event_loop
    async def test_long_lists_have_pages(self) -> None:
        plans = store(*(body(f"p{number:03}") for number in range(2 * PAGE + 1)))
        found = Selection.of({"page": "3"}).find(plans.ordered(by_name=True), ALL)
        assert ([one.name for one in found.rows], found.pages, found.first, found.last) == (["p100"], 3, 101, 101)

    def test_its_query_reads_back(self) -> None:
        selection = Selection("n", "Stalled", "p", "a&b=c", by_name=True, page=2)
        query = dict(part.split("=") for part in selection.query(page=2)[1:].split("&"))
        assert query["q"] == "a%26b%3Dc"
        assert Selection.of({**query, "q": "a&b=c"}) == selection


class TestStore:
    @in_event_loop
    async def test_namespaces_come_and_go_with_their_plans(self) -> None:
        plans = store(body("a", "m"), body("b", "n"))
        assert plans.namespaces == ["m", "n"]
        plans.drop(("m", "a"))
        plans.drop(("m", "a"))
        assert plans.namespaces == ["n"]

    @in_event_loop
    async def test_an_object_that_is_seen_twice_changes_nothing(self) -> None:
        plans = store(body("a"))
        before = plans.version
        plans.put(body("a"))
        assert plans.version == before
        plans.put(body("a", version="2"))
        assert plans.version == before + 1

    def test_two_versions_that_look_the_same_are_equal(self) -> None:
        assert Summary.of(body("a")) == Summary.of(body("a", version="2"))


class TestExecutions:
    def test_runs_that_had_errors_are_the_last_ones(self) -> None:
        plan = body("a")
        plan["status"]["execution"] = {"runs": 50, "failedRuns": 3, "errors": 4}
        drawn = under_way(plan)
        assert drawn is not None
        assert (drawn.runs, drawn.hidden, drawn.failed, drawn.errors, drawn.budget) == (40, 10, 3, 4, 5)

    def test_a_plan_without_an_execution_has_none(self) -> None:
        assert under_way(body("a")) is None

    def test_two_executions_are_compared_field_by_field(self) -> None:
        plan = body("a")
        times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:10Z"}
        plan["status"]["history"] = [{"id": "x", "runs": 1, "errors": 0, **times}, {"id": "y", "runs": 1, "errors": 2}]
        found = history(plan, "x", "y").comparison
        assert found is not None
        differing = {name for _, name, _, _, differs in found.rows if differs}
        assert differing == {"execution", "began", "ended", "took", "errors"}

    def test_the_last_execution_is_compared_too_once_it_has_ended(self) -> None:
        plan = body("a")
        plan["status"]["execution"] = {"id": "x", "finishedAt": "2026-01-01T00:00:10Z", "generation": 2}
        plan["status"]["history"] = [{"id": "y", "generation": 1}]
        found = history(plan, "y", "x")
        assert [one.fields["id"] for one in found.executions] == ["x", "y"]
        assert found.comparison is not None
        assert found.comparison.right["generation"] == 2

    @pytest.mark.parametrize(("left", "right"), [("", ""), ("x", "none"), ("none", "x")])
    def test_an_execution_that_is_gone_is_compared_with_none(self, left: str, right: str) -> None:
        plan = body("a")
        plan["status"]["history"] = [{"id": "x"}]
        assert history(plan, left, right).comparison is None


def test_the_yaml_is_without_what_only_machines_read() -> None:
    plan = body("a")
    last = "kubectl.kubernetes.io/last-applied-configuration"
    plan["metadata"] |= {"managedFields": [{}], "annotations": {last: "{}", "kept": "1"}}
    shown = as_stored({"status": {}, "spec": {}, **plan})
    assert list(shown) == ["metadata", "spec", "status"]
    assert shown["metadata"]["annotations"] == {"kept": "1"}
    assert "managedFields" not in shown["metadata"]
