"""An execution outlives a pause, a restart and an orderly end: its budget, its deadline, the time of its next run."""

import pytest

from execloop.controller.watch.cache import Key
from execloop.kube import ApiError
from tests.controlling import NAMESPACE, Controller

DOWN = OSError("the database is down")
KEY = Key(NAMESPACE, "a")


class TestSuspended:
    def test_before_its_first_run_it_says_so(self, control: Controller) -> None:
        control.apply(suspend=True)
        assert control.reconcile() is None
        assert control.conditions() == {"Ready": ("Unknown", "Suspended"), "Suspended": ("True", "Suspended")}
        assert (control.status()["observedGeneration"], control.contexts) == (-1, [])

    def test_with_its_work_done_its_conditions_are_kept_and_speak_of_the_new_generation(
        self, control: Controller
    ) -> None:
        control.apply()
        control.settle()
        control.edit(suspend=True)
        assert control.reconcile() is None
        assert control.conditions() == {"Ready": ("True", "Converged"), "Suspended": ("True", "Suspended")}
        status = control.status()
        assert [status["observedGeneration"], *(c["observedGeneration"] for c in status["conditions"])] == [2, 2, 2]

    def test_with_work_to_do_its_conditions_are_kept_and_the_generation_too(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply(errorBackoff={"initial": "1m"})
        control.reconcile()
        control.edit(suspend=True)
        assert control.reconcile() is None
        assert control.conditions() == {"Ready": ("False", "TasksFailed"), "Suspended": ("True", "Suspended")}
        status = control.status()
        assert (status["observedGeneration"], "nextRunAt" in status) == (1, False)
        assert "pausedSince" in status["execution"]

    def test_a_run_under_way_stops_at_its_next_task(self, control: Controller) -> None:
        script = control.script({"x": control.meanwhile(lambda: control.edit(suspend=True)), "never": None})
        control.apply()
        assert control.reconcile() == 0
        assert control.reconcile() is None
        assert (script.performed, control.conditions()["Suspended"]) == (["x"], ("True", "Suspended"))

    def test_it_is_written_once_and_nothing_is_observed(self, control: Controller) -> None:
        control.apply()
        control.settle()
        control.edit(suspend=True)
        script = control.script(["x"])
        for _ in range(3):
            control.reconcile()
            control.clock.advance(6000)
        control.start()
        control.reconcile()
        assert (len(control.written), script.runs) == (2, 0)

    def test_a_stalled_plan_stays_stalled(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply(errorsToTolerate=0)
        control.settle()
        control.edit(suspend=True)
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "ErrorsExceeded")


class TestResumed:
    @pytest.fixture
    def suspended(self, control: Controller) -> Controller:
        """After one error, in a backoff of a minute."""
        control.script({"x": DOWN})
        control.apply(errorBackoff={"initial": "1m"}, executionTimeout="100s")
        control.reconcile()
        control.clock.advance(30)
        control.edit(suspend=True)
        control.reconcile()
        return control

    def test_the_same_execution_goes_on_at_once(self, suspended: Controller) -> None:
        before = suspended.execution()
        suspended.clock.advance(3600)
        script = suspended.script(["x"])
        suspended.edit(suspend=False)
        assert suspended.reconcile() == 1
        assert script.performed == ["x"]
        suspended.settle()
        after = suspended.execution()
        assert (after["id"], after["startedAt"], after["errors"]) == (before["id"], before["startedAt"], 1)
        assert suspended.conditions() == {"Ready": ("True", "Converged")}

    def test_the_time_of_the_pause_does_not_count(self, suspended: Controller) -> None:
        suspended.clock.advance(3600)
        suspended.edit(suspend=False)
        suspended.settle()
        assert suspended.execution()["paused"] == pytest.approx(3600)
        assert "pausedSince" not in suspended.execution()

    def test_what_is_left_until_the_deadline_is_kept(self, suspended: Controller) -> None:
        suspended.clock.advance(3600)
        suspended.script(*[["x"]] * 9)
        suspended.edit(suspend=False, sleepBetweenRuns="1s")
        suspended.reconcile()
        suspended.clock.advance(69)  # of the 100 s, 30 had gone
        suspended.reconcile()
        assert "Stalled" not in suspended.conditions()
        suspended.clock.advance(2)
        suspended.reconcile()
        assert suspended.conditions()["Stalled"] == ("True", "ExecutionTimeout")

    def test_a_restart_in_the_pause_changes_nothing(self, suspended: Controller) -> None:
        before = suspended.status()
        suspended.clock.advance(3600)
        suspended.start()
        suspended.reconcile()
        assert suspended.status() == before
        suspended.edit(suspend=False)
        suspended.settle()
        assert suspended.execution()["paused"] == pytest.approx(3600)
        assert suspended.conditions() == {"Ready": ("True", "Converged")}

    def test_a_plan_at_rest_is_as_it_was(self, control: Controller) -> None:
        control.apply()
        control.settle()
        before = control.execution()
        for suspend in (True, False):
            control.edit(suspend=suspend)
            control.reconcile()
        assert control.execution() == before
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert control.status()["observedGeneration"] == 3

    def test_one_that_never_ran_begins(self, control: Controller) -> None:
        control.apply(suspend=True)
        control.reconcile()
        control.edit(suspend=False)
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}


class TestRestart:
    def test_a_backoff_lasts_as_long_as_it_was_said(self, control: Controller) -> None:
        script = control.script({"x": DOWN})
        control.apply(errorBackoff={"initial": "1m"})
        control.reconcile()
        before = control.status()
        control.clock.advance(20)
        control.start()
        assert control.reconcile() == pytest.approx(40, abs=0.01)
        assert (control.status(), script.runs) == (before, 1)

    def test_a_run_that_was_due_meanwhile_is_made_at_once(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply(errorBackoff={"initial": "1m"})
        control.reconcile()
        control.clock.advance(3600 / 4)
        control.start()
        assert control.reconcile() == 600
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_the_budget_is_kept(self, control: Controller) -> None:
        control.script(*[{"x": DOWN}] * 9)
        control.apply(errorsToTolerate=2, errorBackoff={"initial": "1m", "max": "1m"})
        for _ in range(3):
            control.reconcile()
            control.clock.advance(61)
            control.start()
        assert control.conditions()["Stalled"] == ("True", "ErrorsExceeded")
        assert control.execution()["errors"] == 3

    def test_so_is_the_deadline(self, control: Controller) -> None:
        control.script({"x": DOWN}, ["x"])
        control.apply(errorBackoff={"initial": "1m"}, executionTimeout="100s")
        control.reconcile()
        control.clock.advance(101)
        control.start()
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "ExecutionTimeout")

    def test_what_was_never_written_begins_anew(self, control: Controller) -> None:
        script = control.script(["x"], ["x"])
        control.apply()
        control.reconcile()
        control.start()
        control.settle()
        assert script.performed == ["x", "x"]
        assert control.results() == ["Converged"]

    @pytest.mark.parametrize(
        ("interval", "chance", "delay", "observed"),
        [("1h", 1.0, 300, 0), ("1h", 0.5, 150, 0), ("2m", 0.5, 60, 0)],
    )
    def test_plans_at_rest_are_observed_soon_and_spread_out(
        self, control: Controller, interval: str, chance: float, delay: float, observed: int
    ) -> None:
        control.apply(interval=interval)
        control.settle()
        control.start()
        control.chance = chance
        script = control.script()
        assert control.reconcile() == pytest.approx(delay)
        assert (script.runs, len(control.written)) == (observed, 1)

    @pytest.mark.parametrize("mode", ["Reconcile", "Once"])
    def test_two_edits_that_came_to_nothing_are_a_reason_to_look_at_once(self, control: Controller, mode: str) -> None:
        control.apply(interval="1h", mode=mode, errorsToTolerate=5)
        control.settle()
        for tolerated in (6, 5):  # a process that died may have worked on the first
            control.edit(errorsToTolerate=tolerated)
        control.start()
        script = control.script(["undo"])
        control.settle()
        assert (script.performed, control.results()) == (["undo"], ["Converged", "Converged"])
        assert control.status()["observedGeneration"] == 3

    def test_one_edit_that_came_to_nothing_is_not(self, control: Controller) -> None:
        control.apply(interval="1h")
        control.settle()
        control.edit(interval="2h")
        control.start()
        script = control.script()
        control.reconcile()
        assert script.runs == 0

    def test_after_that_look_they_are_at_their_places_in_the_interval(self, control: Controller) -> None:
        control.apply(interval="1h")
        control.settle()
        control.start()
        control.clock.advance(control.reconcile() or 0)
        delay = control.reconcile()
        assert delay == pytest.approx(control.next_look(3600))
        control.clock.advance(delay or 0)
        assert control.reconcile() == pytest.approx(3600)

    def test_a_change_while_nobody_watched_is_worked_on_at_once(self, control: Controller) -> None:
        control.apply(interval="1h")
        control.settle()
        script = control.script(["x"])
        control.edit(parameters={"size": 2})
        control.start()
        control.settle()
        assert script.performed == ["x"]


class TestOrderlyEnd:
    def test_nothing_more_begins(self, control: Controller) -> None:
        control.apply()
        control.run(control.reconciler.close())
        assert control.reconcile() is None
        assert control.contexts == []

    @pytest.mark.parametrize("away", [False, True])
    def test_a_run_stops_at_its_next_task_and_what_it_did_is_saved(self, control: Controller, away: bool) -> None:
        script = control.script({"x": control.meanwhile(control.reconciler.close), "y": None})
        control.apply()
        assert control.reconcile() == 0
        if away:
            control.cluster.fail_next()
            with pytest.raises(ApiError):
                control.run(control.reconciler.save(KEY))
        control.run(control.reconciler.save(KEY))
        assert (script.performed, control.execution()["runs"]) == (["x"], 1)
        assert control.conditions()["Reconciling"] == ("True", "Progressing")

    def test_what_is_saved_already_is_not_written_again(self, control: Controller) -> None:
        control.apply()
        control.settle()
        control.run(control.reconciler.save(KEY))
        assert len(control.written) == 1

    def test_a_plan_that_never_ran_has_nothing_to_save(self, control: Controller) -> None:
        control.apply()
        control.watch()
        control.run(control.reconciler.save(KEY))
        assert control.written == []
