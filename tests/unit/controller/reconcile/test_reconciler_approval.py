"""Plans whose tasks wait until a person approves them."""

import pytest

from tests.controlling import Controller

DOWN = OSError("the database is down")


@pytest.fixture
def awaiting(control: Controller) -> Controller:
    """Two tasks wait, x and y."""
    control.script(*[["x", "y"]] * 9)
    control.apply(approval="Manual")
    control.reconcile()
    return control


def digest(control: Controller) -> str:
    return str(control.status()["pending"]["digest"])


def approve(control: Controller, *steps: list[str]) -> list[str]:
    """Approve what is pending; what was performed then, of a plan that asks for this."""
    control.annotate(approve=digest(control))
    script = control.script(*steps)
    control.settle()
    return script.performed


class TestAwaiting:
    def test_it_says_what_is_pending_and_runs_nothing(self, awaiting: Controller) -> None:
        assert awaiting.conditions() == {
            "Ready": ("Unknown", "ApprovalRequired"),
            "Reconciling": ("True", "ApprovalRequired"),
        }
        status = awaiting.status()
        assert (status["pending"]["count"], status["pending"]["tasks"]) == (2, ["x", "y"])
        assert status["observedGeneration"] == 1

    def test_it_asks_once_in_an_event_with_the_command(self, awaiting: Controller) -> None:
        awaiting.clock.advance(600)
        awaiting.reconcile()
        (asked,) = [write.object for write in awaiting.cluster.writes if write.path.endswith("/events")]
        assert asked["note"] == "2 tasks wait for an approval: x, y; approve with `execloop approve a`"
        message = awaiting.status()["conditions"][0]["message"]
        assert message == "2 tasks wait for an approval: x, y; approve with `execloop approve`"

    def test_it_is_observed_at_the_interval_and_written_only_if_the_work_changed(self, awaiting: Controller) -> None:
        awaiting.clock.advance(600)
        assert awaiting.reconcile() == 600
        assert len(awaiting.written) == 1
        before = digest(awaiting)
        awaiting.script(["z"])
        awaiting.clock.advance(600)
        awaiting.reconcile()
        assert (digest(awaiting) != before, awaiting.status()["pending"]["tasks"]) == (True, ["z"])

    def test_a_run_that_follows_at_once_waits_for_an_approval_of_its_own(self, control: Controller) -> None:
        script = control.script(["x"], ["x"], ["y"], ["y"])
        control.apply(approval="Manual", sleepBetweenRuns="0s")
        control.reconcile()
        control.annotate(approve=digest(control))
        control.reconcile()
        assert (script.performed, control.conditions()["Ready"]) == (["x"], ("Unknown", "ApprovalRequired"))
        assert control.status()["pending"]["tasks"] == ["y"]

    def test_it_converges_when_nothing_is_left_to_do(self, awaiting: Controller) -> None:
        awaiting.script()
        awaiting.clock.advance(600)
        awaiting.reconcile()
        assert awaiting.conditions() == {"Ready": ("True", "Converged")}
        assert "pending" not in awaiting.status()

    def test_the_wait_does_not_count_against_the_deadline(self, awaiting: Controller) -> None:
        awaiting.clock.advance(86_400)
        assert approve(awaiting, ["x", "y"]) == ["x", "y"]
        assert awaiting.conditions() == {"Ready": ("True", "Converged")}
        assert awaiting.execution()["paused"] == pytest.approx(86_400)

    def test_an_error_ends_the_wait_and_is_backed_off_from(self, awaiting: Controller) -> None:
        awaiting.script(DOWN, ["x"])
        awaiting.clock.advance(600)
        assert awaiting.reconcile() == 1.0
        assert (awaiting.execution()["paused"], "pausedSince" in awaiting.execution()) == (600, False)
        written = len(awaiting.written)
        assert (awaiting.reconcile(), len(awaiting.written)) == (1.0, written)
        awaiting.clock.advance(1)
        awaiting.reconcile()
        assert awaiting.status()["pending"]["tasks"] == ["x"]

    def test_after_the_deadline_the_plan_is_not_asked(self, control: Controller) -> None:
        script = control.script(DOWN, DOWN, ["x"])
        control.apply(approval="Manual", executionTimeout="5s")
        control.reconcile()
        control.clock.advance(6)
        control.reconcile()
        assert (script.runs, control.conditions()["Stalled"]) == (1, ("True", "ExecutionTimeout"))

    def test_a_restart_changes_nothing(self, awaiting: Controller) -> None:
        before = awaiting.status()
        awaiting.start()
        awaiting.reconcile()
        assert awaiting.status() == before
        assert approve(awaiting, ["x", "y"]) == ["x", "y"]


class TestApproved:
    def test_the_tasks_run_and_the_approval_is_recorded(self, awaiting: Controller) -> None:
        awaiting.annotate(**{"approved-by": "ann"})
        approves = digest(awaiting)
        assert approve(awaiting, ["x", "y"]) == ["x", "y"]
        approval = awaiting.execution()["approval"]
        assert (approval["digest"], approval["by"]) == (approves, "ann")
        assert "pending" not in awaiting.status()

    def test_one_approval_covers_the_later_runs_of_its_execution(self, awaiting: Controller) -> None:
        assert approve(awaiting, ["x", "y"], ["y"], ["x"]) == ["x", "y", "y", "x"]

    def test_another_name_needs_a_new_one(self, awaiting: Controller) -> None:
        awaiting.annotate(approve=digest(awaiting))
        script = awaiting.script(["x", "y"], ["x", "z"], ["x", "z"])
        awaiting.clock.advance(awaiting.reconcile() or 0)
        awaiting.reconcile()
        assert awaiting.conditions()["Ready"] == ("Unknown", "ApprovalRequired")
        assert (script.performed, awaiting.status()["pending"]["tasks"]) == (["x", "y"], ["x", "z"])

    def test_an_edit_of_the_interval_does_not_void_it(self, awaiting: Controller) -> None:
        approves = digest(awaiting)
        awaiting.edit(interval="1h")
        awaiting.reconcile()
        assert digest(awaiting) == approves
        assert approve(awaiting, ["x", "y"]) == ["x", "y"]


class TestNotApproved:
    @pytest.mark.parametrize("made_up", ["", "yes", "0" * 32])
    def test_another_digest_approves_nothing_and_is_told_once(self, awaiting: Controller, made_up: str) -> None:
        awaiting.annotate(approve=made_up)
        for _ in range(3):
            awaiting.clock.advance(600)
            awaiting.reconcile()
        assert awaiting.conditions()["Ready"] == ("Unknown", "ApprovalRequired")
        assert awaiting.events.count(("Warning", "ApprovalIgnored")) == 1

    def test_an_approval_is_of_no_use_to_another_plan(self, awaiting: Controller) -> None:
        awaiting.script(["x", "y"], name="b")
        awaiting.apply(name="b", approval="Manual")
        awaiting.annotate("b", approve=digest(awaiting))
        awaiting.reconcile("b")
        assert awaiting.conditions("b")["Ready"] == ("Unknown", "ApprovalRequired")

    def test_nor_after_a_change_of_the_inputs(self, awaiting: Controller) -> None:
        awaiting.annotate(approve=digest(awaiting))
        awaiting.edit(parameters={"size": 2})
        awaiting.reconcile()
        assert awaiting.conditions()["Ready"] == ("Unknown", "ApprovalRequired")

    def test_nor_to_the_next_execution(self, awaiting: Controller) -> None:
        approve(awaiting, ["x", "y"])
        script = awaiting.script(*[["x", "y"]] * 9)
        awaiting.clock.advance(600)
        awaiting.reconcile()
        assert (script.performed, awaiting.conditions()["Ready"]) == ([], ("Unknown", "ApprovalRequired"))

    def test_a_suspended_plan_does_not_run_what_is_approved(self, awaiting: Controller) -> None:
        awaiting.edit(suspend=True)
        awaiting.reconcile()
        awaiting.annotate(approve=digest(awaiting))
        script = awaiting.script(["x", "y"])
        awaiting.reconcile()
        assert script.runs == 0
        awaiting.edit(suspend=False)
        awaiting.settle()
        assert script.performed == ["x", "y"]

    def test_errors_of_an_approved_run_are_tolerated(self, control: Controller) -> None:
        script = control.script({"x": DOWN}, {"x": DOWN}, ["x"])
        control.apply(approval="Manual")
        control.reconcile()
        control.annotate(approve=digest(control))
        control.settle()
        assert (script.performed, control.execution()["errors"]) == (["x", "x"], 1)
