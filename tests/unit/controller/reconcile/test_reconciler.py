"""A Plan's way to rest: its runs, when it is due again, and what is written when."""

from collections.abc import Callable
from threading import Event

import pytest

from execloop._engine.execution import Execution
from tests.controlling import NAMESPACE, Controller, conditions

DOWN = OSError("the database is down")


@pytest.mark.parametrize("plan", ["scripted", "scripted-async", "scripted-constructor"])
class TestConvergence:
    def test_a_plan_that_needs_nothing_is_ready_after_one_write(self, control: Controller, plan: str) -> None:
        control.apply(plan)
        assert control.reconcile() == 600
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert len(control.written) == 1

    def test_any_text_is_the_name_of_a_task(self, control: Controller, plan: str) -> None:
        script = control.script(["drop \ud800"], ["drop \ud800"])
        control.apply(plan)
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert script.performed == ["drop \ud800"] * 2

    def test_tasks_run_until_none_remain(self, control: Controller, plan: str) -> None:
        script = control.script(["x", "y"], {"y": ["child"]})
        control.apply(plan)
        control.settle()
        assert script.performed == ["x", "y", "y", "child"]
        assert control.execution()["runs"] == 3

    def test_a_quick_convergence_of_a_new_generation_is_one_write_and_no_event(
        self, control: Controller, plan: str
    ) -> None:
        control.script(["x"])
        control.apply(plan)
        control.settle()
        assert len(control.written) == 1
        assert control.events == []

    def test_a_tolerated_error_is_written_and_then_made_good(self, control: Controller, plan: str) -> None:
        control.script({"x": DOWN, "y": None}, ["x"])
        control.apply(plan)
        control.settle()
        assert [conditions(status)["Ready"] for status in control.written] == [
            ("False", "TasksFailed"),
            ("True", "Converged"),
        ]
        assert control.events == [("Warning", "TasksFailed"), ("Normal", "Recovered")]


class TestDelays:
    def test_between_two_runs_it_waits_as_long_as_the_spec_says(self, control: Controller) -> None:
        control.script(["x"])
        control.apply(sleepBetweenRuns="250ms")
        assert control.reconcile() == 0.25

    def test_it_is_not_run_before_it_is_due(self, control: Controller) -> None:
        script = control.script(["x"], ["y"])
        control.apply(sleepBetweenRuns="10s")
        control.reconcile()
        control.clock.advance(4)
        assert control.reconcile() == pytest.approx(6)
        assert script.performed == ["x"]

    def test_after_a_run_with_errors_the_delay_doubles_up_to_its_most(self, control: Controller) -> None:
        control.script(*[{"x": DOWN}] * 5)
        control.apply(errorBackoff={"initial": "2s", "max": "10s"})
        assert [delay_after_next_run(control) for _ in range(5)] == pytest.approx([2, 4, 8, 10, 10])

    def test_a_run_without_errors_in_between_begins_the_doubling_again(self, control: Controller) -> None:
        control.script({"x": DOWN}, {"x": DOWN}, ["x"], {"x": DOWN})
        control.apply(errorBackoff={"initial": "2s", "max": "10s"})
        assert [delay_after_next_run(control) for _ in range(4)] == pytest.approx([2, 4, 1, 2])

    def test_after_errors_it_waits_no_less_than_between_runs(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply(sleepBetweenRuns="1m")
        assert control.reconcile() == 60

    @pytest.mark.parametrize(("chance", "delay"), [(0.0, 540), (0.5, 600), (1.0, 660)])
    def test_at_rest_it_waits_for_the_interval_give_or_take_a_tenth(
        self, control: Controller, chance: float, delay: float
    ) -> None:
        control.chance = chance
        control.apply(interval="10m")
        assert control.settle() == pytest.approx(delay)

    def test_with_an_interval_of_zero_only_a_change_calls_for_a_reconcile(self, control: Controller) -> None:
        control.apply(interval="0s")
        assert control.settle() is None
        assert control.reconcile() is None

    def test_an_interval_that_became_shorter_applies_at_once(self, control: Controller) -> None:
        control.apply(interval="10h")
        control.settle()
        control.edit(interval="1m")
        delay = control.reconcile()
        assert delay is not None
        assert delay <= 66

    def test_a_blocked_operator_postpones_a_run_uncounted(self, control: Controller) -> None:
        control.max_threads = 0
        control.start()
        control.apply()
        assert control.reconcile() == 1
        assert control.written == []

    def test_a_plan_whose_code_still_blocks_begins_nothing_and_is_not_forgotten(self, control: Controller) -> None:
        release = Event()
        script = control.script({"x": lambda: release.wait(30)})
        control.apply(executionTimeout="100ms")
        control.reconcile()
        control.annotate(requestedAt="now")
        assert control.reconcile() == 1
        assert (script.performed, control.written[-1]["execution"]["result"]) == (["x"], "ExecutionTimeout")
        release.set()

    def test_a_plan_that_is_not_there_calls_for_nothing(self, control: Controller) -> None:
        assert control.reconcile() is None


def delay_after_next_run(control: Controller) -> float:
    delay = control.reconcile()
    assert delay is not None
    control.clock.advance(delay)
    return delay


class TestWrites:
    def test_nothing_is_written_while_short_runs_follow_one_another(self, control: Controller) -> None:
        control.script(["x"], ["x"])
        control.apply(sleepBetweenRuns="500ms")
        delay_after_next_run(control)
        delay_after_next_run(control)
        assert control.written == []

    def test_a_pause_of_more_than_a_second_is_written_before(self, control: Controller) -> None:
        control.script(["x"])
        control.apply(sleepBetweenRuns="1001ms")
        control.reconcile()
        assert control.conditions() == {"Ready": ("Unknown", "Progressing"), "Reconciling": ("True", "Progressing")}
        assert (control.status()["observedGeneration"], "nextRunAt" in control.status()) == (1, True)

    def test_an_execution_of_many_short_runs_is_written_once_it_is_two_seconds_old(self, control: Controller) -> None:
        control.script(*[["x"]] * 9)
        control.apply(sleepBetweenRuns="500ms")
        for _ in range(4):
            delay_after_next_run(control)
        assert control.written == []
        control.reconcile()
        assert control.execution()["runs"] == 5

    @pytest.mark.parametrize("plan", ["scripted", "scripted-async"])
    def test_a_long_run_writes_its_progress(
        self, control: Controller, plan: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("execloop.controller.watch.cache.FIRST_PROGRESS", 0.001)  # a real clock measures the gaps
        monkeypatch.setattr("execloop.controller.watch.cache.next_gap", lambda _gap: 0.001)  # x may end after the first
        monkeypatch.setattr("execloop.controller.reconcile.execution.progress.QUICK", 0.001)
        shown = Event()

        def fail_once_shown() -> None:
            shown.wait(30)
            raise DOWN

        control.script({"x": None, "y": fail_once_shown, "z": None})
        control.apply(plan)
        control.cluster.after_writes(lambda: shown.set() if control.status().get("progress") == "1/3" else None)
        control.reconcile()
        told = next(status for status in control.written if status.get("progress") == "1/3")
        assert conditions(told) == {"Ready": ("Unknown", "Progressing"), "Reconciling": ("True", "Progressing")}
        assert "progress" not in control.status()

    def test_a_backoff_is_written_with_the_time_of_the_next_run(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply(errorBackoff={"initial": "1m"})
        control.reconcile()
        status = control.status()
        assert control.conditions() == {
            "Ready": ("False", "TasksFailed"),
            "Reconciling": ("True", "ProgressingWithRetry"),
        }
        assert "OSError: the database is down" in status["conditions"][0]["message"]
        assert status["execution"]["lastError"] == status["conditions"][0]["message"]
        assert (status["execution"]["errors"], status["execution"]["failedRuns"]) == (1, 1)
        assert "nextRunAt" in status

    def test_nothing_is_written_while_a_backoff_lasts(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply(errorBackoff={"initial": "1m"})
        control.reconcile()
        control.clock.advance(30)
        control.label(team="ours")
        assert control.reconcile() == pytest.approx(30)
        assert len(control.written) == 1

    @pytest.mark.parametrize("change", [lambda _: None, lambda control: control.label(team="ours")])
    def test_an_observation_that_finds_nothing_writes_nothing(
        self, control: Controller, change: Callable[[Controller], None]
    ) -> None:
        script = control.script(["x"])
        control.apply()
        delay = control.settle()
        before = control.status()
        for _ in range(3):
            control.clock.advance(delay or 0)
            change(control)
            delay = control.reconcile()
            assert delay == pytest.approx(control.next_look())
        assert (script.runs, control.status(), len(control.written)) == (5, before, 1)

    def test_everything_that_was_done_is_told_when_it_has_converged(self, control: Controller) -> None:
        control.script({"x": DOWN}, ["x"])
        control.apply()
        control.settle()
        status = control.status()
        assert (status["observedGeneration"], "nextRunAt" in status, "lastConvergedAt" in status) == (1, False, True)
        execution = status["execution"]
        assert (execution["runs"], execution["errors"]) == (3, 1)
        assert not {"failedRuns", "paused", "sameWork"} & set(execution)
        assert (execution["result"], execution["generation"], execution["message"]) == (
            "Converged",
            1,
            "no tasks remain",
        )
        assert "history" not in status


class TestContext:
    def test_a_plan_knows_whose_it_is(self, control: Controller) -> None:
        control.apply()
        control.reconcile()
        (context,) = control.contexts
        uid = control.cluster.objects[f"/apis/execloop.dev/v1alpha1/namespaces/{NAMESPACE}/plans/a"]["metadata"]["uid"]
        assert (context.namespace, context.name, context.uid, context.generation) == (NAMESPACE, "a", uid, 1)
        assert context.kube.owner.uid == uid

    def test_it_sees_its_execution(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply()
        control.settle()
        execution = control.contexts[-1].execution
        assert isinstance(execution, Execution)
        assert (execution.id, execution.runs, execution.errors) == (control.execution()["id"], 1, 1)


def test_every_write_brings_the_state_and_the_errors_along(control: Controller) -> None:
    control.script({"x": OSError("down")}, ["x"])
    control.apply(errorsToTolerate=3)
    control.reconcile()
    assert (control.status()["state"], control.status()["errors"]) == ("Retrying", "1/3")
    control.settle()
    assert (control.status()["state"], control.status()["errors"]) == ("Converged", "1/3")
