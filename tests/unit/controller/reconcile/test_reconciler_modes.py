"""Plans that converge once, and Plans that only show what they would do."""

from datetime import UTC, datetime
from typing import Any

import pytest

from execloop.testing import ScriptedPlan
from tests.controlling import PLANS, Controller

DOWN = OSError("the database is down")


class TestOnce:
    def test_it_converges_and_is_never_looked_at_again(self, control: Controller) -> None:
        script = control.script(["x"])
        control.apply(mode="Once", interval="1m")
        assert control.settle() is None
        control.clock.advance(6000)
        control.start()
        assert control.reconcile() is None
        assert (script.runs, control.conditions()) == (2, {"Ready": ("True", "Converged")})

    def test_a_new_version_of_its_code_is_no_reason_to_run(self, control: Controller) -> None:
        control.apply(mode="Once")
        control.settle()
        control.code_version = "2"
        control.start()
        script = control.script(["x"])
        control.settle()
        assert script.runs == 0

    def test_changed_inputs_are(self, control: Controller) -> None:
        control.apply(mode="Once")
        control.settle()
        script = control.script(["x"])
        control.edit(parameters={"size": 2})
        control.settle()
        assert script.performed == ["x"]

    def test_a_stalled_one_is_looked_at_until_it_heals(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply(mode="Once", errorsToTolerate=0, interval="1m")
        assert control.settle() == 60
        control.clock.advance(60)
        assert control.reconcile() is None
        assert control.conditions() == {"Ready": ("True", "Converged")}

    @pytest.mark.parametrize("steps", [(), ({"x": DOWN},)], ids=["converged", "stalled"])
    def test_with_a_time_to_live_it_is_deleted_when_that_is_over(
        self, control: Controller, steps: tuple[dict[str, OSError], ...]
    ) -> None:
        control.script(*steps)
        control.apply(mode="Once", ttlAfterFinished="1h", errorsToTolerate=0, interval="0s")
        control.settle()
        control.clock.advance(3599)
        assert control.reconcile() == pytest.approx(1, abs=0.01)
        control.clock.advance(1.01)
        control.reconcile()
        assert control.names() == []

    def test_one_that_was_changed_meanwhile_is_not_deleted(self, control: Controller) -> None:
        control.apply(mode="Once", ttlAfterFinished="1h")
        control.settle()
        control.clock.advance(3601)
        control.cluster.before_next_request(lambda: control.edit(parameters={"size": 2}))
        control.reconcile()
        assert control.names() == ["a"]

    def test_its_time_to_live_counts_from_its_end_across_a_restart(self, control: Controller) -> None:
        control.apply(mode="Once", ttlAfterFinished="1h")
        control.settle()
        control.clock.advance(1800)
        control.start()
        assert control.reconcile() == pytest.approx(1800, abs=0.01)


class TestPreview:
    def test_it_says_what_would_run_and_runs_nothing(self, control: Controller) -> None:
        script = control.script(["x", "y"])
        control.apply(mode="Preview")
        assert control.reconcile() == 600
        assert control.conditions() == {"Ready": ("True", "Previewed")}
        status = control.status()
        assert (status["pending"]["count"], status["pending"]["tasks"]) == (2, ["x", "y"])
        assert (script.performed, status["observedGeneration"], control.results()) == ([], 1, [])

    def test_it_is_written_again_only_when_the_pending_work_has_changed(self, control: Controller) -> None:
        control.script(["x"], ["x"], ["x", "y"], [])
        control.apply(mode="Preview")
        counts = []
        for _ in range(4):
            control.reconcile()
            control.clock.advance(600)
            counts.append((control.status()["pending"]["count"], len(control.written)))
        assert counts == [(1, 1), (1, 1), (2, 2), (0, 3)]

    def test_an_error_is_tolerated_with_backoff(self, control: Controller) -> None:
        control.script(DOWN, ["x"])
        control.apply(mode="Preview", errorBackoff={"initial": "5s"})
        assert control.reconcile() == 5
        assert control.conditions()["Ready"] == ("False", "CreateFailed")
        control.clock.advance(5)
        control.reconcile()
        assert control.conditions() == {"Ready": ("True", "Previewed")}

    def test_an_error_after_it_was_shown_is_the_first_of_a_new_execution(self, control: Controller) -> None:
        control.apply(mode="Preview")
        control.clock.advance(control.reconcile() or 0)
        control.script(DOWN)
        control.reconcile()
        assert (control.conditions()["Ready"], control.execution()["errors"]) == (("False", "CreateFailed"), 1)

    def test_once_it_is_to_reconcile_it_runs(self, control: Controller) -> None:
        control.script(["x"])
        control.apply(mode="Preview")
        control.reconcile()
        script = control.script(["x"])
        control.edit(mode="Reconcile")
        control.settle()
        assert (script.performed, "pending" in control.status()) == (["x"], False)
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_no_more_than_twenty_names_are_shown(self, control: Controller) -> None:
        control.script([f"t{number}" for number in range(30)])
        control.apply(mode="Preview")
        control.reconcile()
        pending = control.status()["pending"]
        assert (pending["count"], len(pending["tasks"])) == (30, 20)


class TestNotConverging:
    """The same work again and again, without an error and without getting on."""

    def test_it_stalls_after_twenty_runs_and_five_minutes(self, control: Controller) -> None:
        control.script(*[["x"]] * 99)
        control.apply(sleepBetweenRuns="20s")
        control.settle()
        assert control.conditions()["Stalled"] == ("True", "NotConverging")
        assert control.execution()["runs"] == 20

    def test_quick_runs_have_five_minutes(self, control: Controller) -> None:
        control.script(*[["x"]] * 99)
        control.apply(sleepBetweenRuns="5s")
        control.settle()
        assert control.conditions()["Stalled"] == ("True", "NotConverging")
        assert control.execution()["runs"] == 61

    def test_other_work_is_progress(self, control: Controller) -> None:
        control.script(*[[f"t{number}"] for number in range(40)])
        control.apply(sleepBetweenRuns="20s")
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_a_restart_counts_on(self, control: Controller) -> None:
        control.script(*[["x"]] * 99)
        control.apply(sleepBetweenRuns="20s")
        for _ in range(10):
            control.clock.advance(control.reconcile() or 0)
            control.start()
        control.settle()
        assert control.execution()["runs"] == 20


class TestSuspendedUntil:
    def until(self, control: Controller, seconds: float) -> str:
        moment = datetime.fromtimestamp(control.clock.now() + seconds, UTC)
        return moment.isoformat(timespec="seconds")

    def suspend(self, control: Controller, until: str) -> ScriptedPlan:
        script = control.script(["x"])
        control.apply(suspend=True)
        control.annotate(**{"suspend-until": until, "suspend-reason": "a migration", "suspend-by": "ann"})
        return script

    def test_it_continues_at_the_date_and_says_so_once(self, control: Controller) -> None:
        script = self.suspend(control, self.until(control, 60))
        assert control.reconcile() == pytest.approx(60, abs=1)
        assert (script.runs, control.conditions()["Suspended"]) == (0, ("True", "Suspended"))
        control.clock.advance(61)
        control.settle()
        assert (script.performed, control.conditions()) == (["x"], {"Ready": ("True", "Converged")})
        assert "lifted" in control.status()["suspension"]
        control.settle()
        assert control.events.count(("Normal", "SuspensionExpired")) == 1

    def test_the_timer_survives_a_restart(self, control: Controller) -> None:
        script = self.suspend(control, self.until(control, 60))
        control.reconcile()
        control.clock.advance(3600)
        control.start()
        control.settle()
        assert script.performed == ["x"]

    def test_a_date_that_was_over_before_has_no_effect_but_a_warning(self, control: Controller) -> None:
        script = self.suspend(control, self.until(control, -60))
        assert control.reconcile() is None
        assert (script.runs, control.events) == (0, [("Warning", "SuspensionEndIgnored")])

    def test_what_is_no_date_means_suspended_and_says_how_to_write_it(self, control: Controller) -> None:
        self.suspend(control, "tomorrow")
        assert control.reconcile() is None
        message = next(c["message"] for c in control.status()["conditions"] if c["type"] == "Suspended")
        assert "RFC 3339" in message

    def test_the_annotations_go_once_the_spec_suspends_no_more(self, control: Controller) -> None:
        self.suspend(control, self.until(control, 60))
        control.reconcile()
        control.edit(suspend=False)
        control.settle()
        metadata = control.cluster.objects[f"{PLANS}/a"]["metadata"]
        assert (metadata.get("annotations"), "suspension" in control.status()) == ({}, False)


class TestPreviewRequest:
    """The annotation execloop.dev/preview asks what a run would do now."""

    def test_it_is_answered_and_nothing_runs(self, control: Controller) -> None:
        control.apply()
        control.settle()
        script = control.script(["x", "y"])
        control.annotate(preview="1")
        control.reconcile()
        answer = control.status()["preview"]
        assert (answer["request"], answer["count"], [task["name"] for task in answer["tasks"]]) == ("1", 2, ["x", "y"])
        assert (script.performed, control.conditions()) == ([], {"Ready": ("True", "Converged")})
        assert control.reconcile() == 600

    def test_each_request_is_answered_once(self, control: Controller) -> None:
        control.apply()
        control.settle()
        script = control.script()
        control.annotate(preview="1")
        control.reconcile()
        control.reconcile()
        assert script.runs == 1

    @pytest.mark.parametrize("spec", [{}, {"suspend": True}], ids=str)
    def test_a_plan_that_never_ran_answers_too(self, control: Controller, spec: dict[str, Any]) -> None:
        script = control.script(["x"], ["x"])
        control.apply(**spec)
        control.annotate(preview="1")
        control.reconcile()
        assert (control.status()["preview"]["count"], script.performed) == (1, [])

    def test_an_error_of_the_plan_is_the_answer_and_not_counted(self, control: Controller) -> None:
        control.apply()
        control.settle()
        control.script(DOWN)
        control.annotate(preview="1")
        control.reconcile()
        assert control.status()["preview"]["error"] == "OSError: the database is down"
        assert control.conditions() == {"Ready": ("True", "Converged")}
