"""Why a Plan is as it is: what, why and what to do, from the Plan and those it depends on."""

import re
from pathlib import Path
from typing import Any

import pytest

from execloop.controller.status.explain import CAUSES, Reference, cut, dependencies, explain, sentence
from tests.unit.controller.status.test_conditions import TABLE

TROUBLESHOOT = Path(__file__).parents[4] / "docs" / "troubleshoot.md"
API = "execloop.dev/v1alpha1"


def plan(
    name: str = "a", *conditions: tuple[str, str, str, str], depends: tuple[str, ...] = (), **metadata: Any
) -> Any:
    """Conditions are (type, status, reason, message)."""
    return {
        "apiVersion": API,
        "kind": "Plan",
        "metadata": {"name": name, "namespace": "team", "generation": 1, **metadata},
        "spec": {"plan": "x", "dependsOn": [{"name": other} for other in depends]},
        "status": {
            "observedGeneration": 1,
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1}
                for kind, status, reason, message in conditions
            ],
        },
    }


def waiting(name: str, *on: str) -> Any:
    return plan(name, ("Ready", "False", "DependencyNotReady", f"Plan team/{on[0]} is not ready"), depends=on)


def reference(name: str) -> Reference:
    return Reference(API, "Plan", "team", name)


FAILED = ("Ready", "False", "TasksFailed", "copy[0]: the disk is full")
READY = ("Ready", "True", "Converged", "no tasks remain")


class TestReasons:
    def test_every_reason_has_its_section(self) -> None:
        headings = re.findall(r"^### (\w+)$", TROUBLESHOOT.read_text(), re.MULTILINE)
        assert headings == list(CAUSES)

    def test_every_section_has_cause_check_and_cure(self) -> None:
        sections = re.split(r"^### \w+\n", TROUBLESHOOT.read_text(), flags=re.MULTILINE)[1:]
        for reason, section in zip(CAUSES, sections, strict=True):
            assert [word for word in ("Cause", "Check", "Cure") if f"**{word}**" not in section] == [], reason

    def test_every_reason_of_the_conditions_is_known(self) -> None:
        reasons = {row[1] for _, rows, _ in TABLE for kind, row in rows.items() if kind != "Reconciling"}
        assert reasons - set(CAUSES) == set()

    @pytest.mark.parametrize("reason", CAUSES)
    def test_an_anchor_is_what_the_page_makes_of_its_heading(self, reason: str) -> None:
        assert explain(plan("a", ("Ready", "False", reason, ""))).anchor == reason.lower()

    @pytest.mark.parametrize("reason", CAUSES)
    def test_no_text_has_a_time_or_a_count_in_it(self, reason: str) -> None:
        assert not re.search(r"\d", CAUSES[reason].what + CAUSES[reason].next)


class TestSentence:
    def test_it_ends_with_what_a_person_has_to_do(self) -> None:
        said = sentence("ParametersNotFound", "waits for Secret db (not found)", 1024)
        assert said == ("waits for Secret db (not found); create it, allow reading it, or make the source optional")

    @pytest.mark.parametrize("reason", ["TasksFailed", "Converged", "Progressing", "SomethingElse"])
    def test_it_is_the_detail_alone_where_nobody_has_to_act(self, reason: str) -> None:
        assert sentence(reason, "the disk is full", 1024) == "the disk is full"

    def test_it_says_the_next_step_once(self) -> None:
        once = sentence("FatalError", "hopeless", 1024)
        assert sentence("FatalError", once, 1024) == once

    def test_what_does_not_fit_is_taken_from_the_detail(self) -> None:
        said = sentence("FatalError", "ü" * 1024, 100)
        assert len(said.encode()) <= 100
        assert said.endswith("…; fix the cause, then run `execloop reconcile`")


class TestExplain:
    def test_the_next_step_is_not_repeated_in_why(self) -> None:
        found = explain(plan("a", ("Ready", "False", "FatalError", sentence("FatalError", "hopeless", 1024))))
        assert (found.why, found.next) == ("hopeless", "fix the cause, then run `execloop reconcile`")

    def test_a_stall_says_more_than_ready(self) -> None:
        conditions = ("Ready", "False", "TearingDown", "x"), ("Stalled", "True", "TeardownFailed", "cannot undo")
        assert explain(plan("a", *conditions)).reason == "TeardownFailed"

    def test_a_suspension_says_who_and_why(self) -> None:
        annotations = {"execloop.dev/suspend-by": "jane", "execloop.dev/suspend-reason": "a migration"}
        found = explain(plan("a", READY, ("Suspended", "True", "Suspended", "x"), annotations=annotations))
        assert (found.reason, found.why) == ("Suspended", "by jane: a migration")

    @pytest.mark.parametrize("status", [None, {}, {"conditions": None}, {"conditions": ["?"]}, "?"])
    def test_without_conditions_no_operator_has_seen_it(self, status: Any) -> None:
        assert explain({**plan(), "status": status}).reason == "NotObserved"

    def test_a_reason_of_a_newer_operator_is_shown_as_it_is(self) -> None:
        assert explain(plan("a", ("Ready", "False", "Haunted", "boo"))).what == "is not ready: Haunted"

    @pytest.mark.parametrize(("generation", "outdated"), [(1, False), (2, True)])
    def test_what_is_of_an_older_spec_says_so(self, generation: int, outdated: bool) -> None:
        assert explain(plan("a", READY, generation=generation)).outdated is outdated


class TestChain:
    def test_it_goes_down_to_what_can_be_done(self) -> None:
        others = {reference("b"): waiting("b", "c"), reference("c"): plan("c", FAILED)}
        (root,) = explain(waiting("a", "b"), others).roots
        assert (root.subject, root.why) == ("team/c", "copy[0]: the disk is full")

    def test_what_is_ready_is_not_a_cause(self) -> None:
        others = {reference("b"): plan("b", READY), reference("c"): plan("c", FAILED)}
        assert [link.subject for link in explain(waiting("a", "b", "c"), others).because] == ["team/c"]

    def test_what_is_not_found_is_a_cause(self) -> None:
        (root,) = explain(waiting("a", "b"), {reference("b"): None}).roots
        assert (root.subject, root.what) == ("Plan team/b", "is not found")

    def test_what_was_not_looked_at_is_left_out(self) -> None:
        found = explain(waiting("a", "b"))
        assert (found.because, found.roots) == ((), (found,))

    def test_a_circle_ends(self) -> None:
        others = {reference("a"): waiting("a", "b"), reference("b"): waiting("b", "a")}
        assert [link.because for link in explain(waiting("a", "b"), others).because] == [()]

    def test_a_plan_that_is_ready_for_an_older_spec_is_a_cause(self) -> None:
        (link,) = explain(waiting("a", "b"), {reference("b"): plan("b", READY, generation=2)}).because
        assert link.outdated


class TestDependencies:
    def test_they_are_plans_of_the_same_namespace_unless_the_spec_says_otherwise(self) -> None:
        one = plan("a", depends=("b",))
        one["spec"]["dependsOn"].append({"apiVersion": "apps/v1", "kind": "Deployment", "name": "w", "namespace": "x"})
        assert list(dependencies(one)) == [reference("b"), Reference("apps/v1", "Deployment", "x", "w")]

    @pytest.mark.parametrize("spec", [None, "?", {}, {"dependsOn": "?"}, {"dependsOn": ["?", {}]}])
    def test_a_spec_that_is_wrong_names_none(self, spec: Any) -> None:
        assert list(dependencies({**plan(), "spec": spec})) == []


def test_a_cut_text_is_well_formed() -> None:
    assert cut("aüü", 4) == "a…"
