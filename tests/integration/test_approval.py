"""Work that a person approves first."""

import pytest

from tests.integration.operating import Did, Operator, Plans, manifest


def digest(plans: Plans, name: str = "a") -> str:
    plans.until(lambda: plans.condition(name) == ("Unknown", "ApprovalRequired"), "it awaits approval")
    found: str = plans.status(name)["pending"]["digest"]
    return found


@pytest.mark.usefixtures("operator")
class TestApproval:
    def test_nothing_runs_until_the_digest_is_approved(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "undoes", approval="Manual"))
        wanted = digest(plans)
        assert plans.status("a")["pending"]["tasks"] == ["a", "b"]
        assert plans.condition("a", "Reconciling") == ("True", "ApprovalRequired")
        assert did("a") == []
        plans.annotate("a", approve=wanted, **{"approved-by": "admin"})  # whom a policy on this cluster would name too
        plans.wait("a")
        assert did("a") == ["a", "b"]
        status = plans.status("a")
        assert status["execution"]["approval"]["by"] == "admin"
        assert "pending" not in status
        assert f"{wanted} by admin" in plans.events("a")

    def test_work_that_was_not_approved_needs_a_new_approval(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "undoes", approval="Manual", parameters={"names": ["a"], "then": ["z"]}))
        first = digest(plans)
        plans.annotate("a", approve=first)
        plans.until(lambda: did("a") == ["a"], "the approved task ran")
        second = digest(plans)
        assert (second != first, plans.status("a")["pending"]["tasks"]) == (True, ["z"])
        assert did("a") == ["a"]
        plans.annotate("a", approve=second)
        plans.wait("a")
        assert did("a") == ["a", "z"]

    def test_an_old_digest_is_ignored_and_an_event_says_why(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "undoes", approval="Manual"))
        old = digest(plans)
        plans.patch("a", parameters={"names": ["c"]})
        plans.until(lambda: plans.status("a")["pending"]["tasks"] == ["c"], "the new work shows")
        plans.annotate("a", approve=old)
        plans.until(lambda: "ApprovalIgnored" in plans.events("a"), "an Event says so")
        assert "does not match these tasks" in plans.message("a")
        assert did("a") == []
        assert plans.condition("a") == ("Unknown", "ApprovalRequired")

    def test_a_digest_is_good_for_one_plan_only(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "undoes", approval="Manual"), manifest("b", "undoes", approval="Manual"))
        assert digest(plans, "a") != digest(plans, "b")
        plans.annotate("b", approve=digest(plans, "a"))
        plans.until(lambda: "ApprovalIgnored" in plans.events("b"), "it is refused")
        assert did("b") == []

    def test_the_time_of_waiting_does_not_count_against_the_deadline(self, plans: Plans) -> None:
        plans.apply(manifest("a", "undoes", approval="Manual", executionTimeout="2s", interval="1s"))
        wanted = digest(plans)
        started = plans.status("a")["execution"]["startedAt"]
        plans.apply(manifest("slow", "stuck", executionTimeout="3s"))
        plans.wait("slow", "Stalled")
        plans.annotate("a", approve=wanted)
        plans.wait("a")
        assert plans.status("a")["execution"]["startedAt"] == started

    def test_while_it_waits_nothing_is_written_unless_the_work_changes(self, plans: Plans) -> None:
        plans.apply(manifest("a", "undoes", approval="Manual", interval="1s"), manifest("b", "stuck"))
        digest(plans)
        before = plans.get("a")
        plans.wait("b", "Stalled")
        assert plans.get("a") == before


def test_an_approval_outlives_a_restart(plans: Plans, operator: Operator, did: Did) -> None:
    plans.apply(manifest("a", "naps", approval="Manual", parameters={"count": 12}))
    plans.annotate("a", approve=digest(plans))
    plans.until(lambda: len(did("a")) > 1, "the run is under way")
    plans.until(lambda: "approval" in plans.status("a")["execution"], "the approval is written")
    operator.kill()
    operator.start()
    plans.wait("a")
    assert set(did("a")) == {str(number) for number in range(12)}
