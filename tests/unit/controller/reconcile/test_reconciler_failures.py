"""What stalls a Plan and what heals it, what is only tried again, and what counts against no plan."""

import sys
from threading import Event
from typing import Any

import pytest

from execloop import FatalError
from execloop.kube import ApiError
from tests.controlling import Controller

DOWN = OSError("the database is down")


def give_up() -> None:
    raise FatalError("no attempt can help")


def interrupt() -> None:
    raise KeyboardInterrupt


class TestRefused:
    @pytest.mark.parametrize(
        ("plan", "spec", "reason", "message"),
        [
            ("nosuch", {}, "UnknownPlan", "there is no plan 'nosuch'; known plans: "),
            ("strict", {"parameters": {"count": 0}}, "InvalidParameters", "parameters.count: Input should be"),
            ("strict", {}, "InvalidParameters", "parameters.count: Field required"),
            ("scripted", {"interval": "often"}, "InvalidSpec", "spec.interval: should be"),
        ],
    )
    def test_it_stalls_at_once_and_nothing_is_tried_until_something_changes(
        self, control: Controller, plan: str, spec: dict[str, Any], reason: str, message: str
    ) -> None:
        control.apply(plan, **spec)
        assert control.reconcile() is None
        assert control.conditions() == {"Ready": ("False", reason), "Stalled": ("True", reason)}
        status = control.status()
        assert message in status["conditions"][0]["message"]
        assert (status["observedGeneration"], "execution" in status) == (1, False)
        assert control.contexts == []

    def test_it_is_written_once(self, control: Controller) -> None:
        control.apply("nosuch")
        for _ in range(3):
            control.reconcile()
        control.start()
        control.reconcile()
        assert len(control.written) == 1

    def test_a_repaired_spec_runs(self, control: Controller) -> None:
        control.apply("nosuch")
        control.reconcile()
        control.edit(plan="scripted")
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    @pytest.mark.parametrize(
        ("steps", "known"),
        [
            ((), {"Ready": ("True", "Converged")}),
            (({"x": DOWN},), {"Ready": ("False", "ErrorsExceeded"), "Stalled": ("True", "ErrorsExceeded")}),
        ],
        ids=["converged", "stalled"],
    )
    def test_a_mistake_that_is_taken_back_leaves_what_was_known(
        self, control: Controller, steps: Any, known: dict[str, tuple[str, str]]
    ) -> None:
        control.script(*steps)
        control.apply(errorsToTolerate=0)
        control.settle()
        before = control.execution()
        control.edit(plan="nosuch")
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "UnknownPlan")
        control.edit(plan="scripted")
        control.settle()
        assert (control.execution(), control.conditions()) == (before, known)

    def test_a_plan_that_a_broken_image_lacked_for_a_while_is_what_it_was(self, control: Controller) -> None:
        control.apply()
        control.settle()
        before = control.status()
        control.plans_are_missing = True
        control.start()
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "UnknownPlan")
        control.plans_are_missing = False
        control.start()
        control.settle()
        assert control.status() == before


class TestStalled:
    @pytest.mark.parametrize(
        ("plan", "step", "reason", "message"),
        [
            (
                "scripted",
                {"x": DOWN},
                "ErrorsExceeded",
                "more errors than tolerated; the last: x[0] perform: OSError: the data",
            ),
            ("scripted", DOWN, "ErrorsExceeded", "create(): OSError: the database is down"),
            ("scripted-async", DOWN, "ErrorsExceeded", "create(): OSError: the database is down"),
            ("scripted-constructor", DOWN, "ErrorsExceeded", "create(): OSError: the database is down"),
            ("scripted", {"x": give_up}, "FatalError", "FatalError: no attempt can help"),
            ("scripted", {"x": lambda: sys.exit(3)}, "FatalError", "the plan's code raised SystemExit: 3"),
            ("scripted-async", {"x": lambda: sys.exit(3)}, "FatalError", "the plan's code raised SystemExit: 3"),
            ("scripted", {"x": interrupt}, "FatalError", "the plan's code raised KeyboardInterrupt"),
            ("exits", (), "FatalError", "the plan's code raised SystemExit: 3"),
            ("exits-async", (), "FatalError", "the plan's code raised KeyboardInterrupt"),
            ("rubbish", (), "FatalError", "create() of the plan 'rubbish' must return None or an iterable of tasks"),
        ],
    )
    def test_it_says_why_and_is_looked_at_again_at_the_interval(
        self, control: Controller, plan: str, step: Any, reason: str, message: str
    ) -> None:
        control.script(step)
        control.apply(plan, errorsToTolerate=0)
        assert control.reconcile() == 600
        assert control.conditions() == {"Ready": ("False", reason), "Stalled": ("True", reason)}
        status = control.status()
        assert message in status["conditions"][0]["message"]
        assert status["observedGeneration"] == 1
        assert (status["execution"]["result"], control.results()) == (reason, [reason])
        assert control.events == [("Warning", reason)]

    def test_a_long_cause_is_short_in_ready_and_whole_in_stalled_also_after_a_change_beside_it(
        self, control: Controller
    ) -> None:
        control.script({"x": OSError("disk " * 100)}, {"x": DOWN})
        control.apply(errorsToTolerate=0)
        control.reconcile()
        before = {one["type"]: one["message"] for one in control.status()["conditions"]}
        assert len(before["Ready"]) < 160 < len(before["Stalled"])
        control.edit(interval="1h")
        control.reconcile()
        assert {one["type"]: one["message"] for one in control.status()["conditions"]} == before

    def test_a_budget_is_spent_with_one_error_more_than_it_tolerates(self, control: Controller) -> None:
        control.script(*[{"x": DOWN}] * 9)
        control.apply(errorsToTolerate=2)
        control.settle()
        assert (control.execution()["errors"], control.execution()["runs"]) == (3, 3)

    def test_an_unlimited_budget_is_never_spent(self, control: Controller) -> None:
        control.script(*[{"x": DOWN}] * 30)
        control.apply(errorsToTolerate=-1, executionTimeout="0s")
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_a_deadline_falls_between_two_runs(self, control: Controller) -> None:
        script = control.script(*[["x"]] * 9)
        control.apply(executionTimeout="90s", sleepBetweenRuns="1m")
        control.settle()
        assert control.conditions()["Stalled"] == ("True", "ExecutionTimeout")
        assert "not converged within 90 seconds" in control.status()["conditions"][0]["message"]
        assert script.performed == ["x", "x"]

    def test_a_deadline_falls_in_a_task_that_blocks_and_nothing_follows(self, control: Controller) -> None:
        released = Event()
        script = control.script({"blocks": released.wait, "never": None})
        control.apply(executionTimeout="20ms")
        try:
            control.reconcile()
        finally:
            released.set()
        assert control.conditions()["Stalled"] == ("True", "ExecutionTimeout")
        assert "never" not in script.performed


class TestHealing:
    """A stalled Plan runs no tasks; it is looked at."""

    @pytest.fixture
    def stalled(self, control: Controller) -> Controller:
        control.script({"x": DOWN})
        control.apply(errorsToTolerate=0)
        control.clock.advance(control.settle() or 0)
        return control

    def test_it_converges_when_its_plan_asks_for_nothing(self, stalled: Controller) -> None:
        assert stalled.reconcile() == 600
        assert stalled.conditions() == {"Ready": ("True", "Converged")}
        assert stalled.results() == ["Converged"]
        assert stalled.events[-1] == ("Normal", "Recovered")

    def test_it_stays_as_it_is_while_tasks_remain(self, stalled: Controller) -> None:
        before, script = stalled.status(), stalled.script(["x"], ["x"])
        assert stalled.reconcile() == pytest.approx(stalled.next_look())
        assert (script.runs, script.performed) == (1, [])
        assert stalled.status() == before

    @pytest.mark.parametrize("step", [DOWN, FatalError("hopeless")])
    def test_an_error_while_it_is_looked_at_is_not_counted(self, stalled: Controller, step: Exception) -> None:
        before = stalled.status()
        stalled.script(step)
        assert stalled.reconcile() == pytest.approx(stalled.next_look())
        assert stalled.status() == before

    def test_it_is_looked_at_however_long_its_deadline_is_past(self, control: Controller) -> None:
        control.script(["x"])
        control.apply(executionTimeout="1s", sleepBetweenRuns="2s")
        control.clock.advance(control.settle() or 0)
        assert control.conditions()["Stalled"] == ("True", "ExecutionTimeout")
        control.reconcile()
        assert control.conditions() == {"Ready": ("True", "Converged")}


class TestCreateFailed:
    """The world may be unreachable for a moment, so it is one error of the budget."""

    @pytest.mark.parametrize("plan", ["scripted", "scripted-async", "scripted-constructor"])
    def test_it_is_tried_again_with_backoff(self, control: Controller, plan: str) -> None:
        control.script(DOWN, DOWN)
        control.apply(plan, errorBackoff={"initial": "5s"})
        assert control.reconcile() == 5
        assert control.conditions() == {
            "Ready": ("False", "CreateFailed"),
            "Reconciling": ("True", "ProgressingWithRetry"),
        }
        control.clock.advance(5)
        assert control.reconcile() == 10
        control.clock.advance(10)
        control.settle()
        assert (control.execution()["errors"], control.execution()["runs"]) == (2, 3)

    def test_after_convergence_it_begins_an_execution_that_has_one_error(self, control: Controller) -> None:
        control.apply(errorBackoff={"initial": "5s"})
        control.clock.advance(control.settle() or 0)
        before = control.execution()["id"]
        control.script(DOWN)
        assert control.reconcile() == 5
        assert control.conditions()["Ready"] == ("False", "CreateFailed")
        assert (control.execution()["id"] != before, control.execution()["errors"]) == (True, 1)
        control.clock.advance(5)
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_rubbish_after_convergence_is_fatal(self, control: Controller) -> None:
        control.apply("rubbish", suspend=True)
        control.reconcile()
        control.edit(suspend=False)
        control.settle()
        assert control.conditions()["Stalled"] == ("True", "FatalError")


class TestOutage:
    """The API server is away: that is no plan's fault, and what a run came to is not lost."""

    def test_a_result_that_could_not_be_written_is_written_later(self, control: Controller) -> None:
        script = control.script({"x": DOWN})
        control.apply(errorBackoff={"initial": "1m"})
        control.cluster.go_away()
        for _ in range(3):
            with pytest.raises(ApiError):
                control.reconcile()
        control.cluster.come_back()
        assert control.reconcile() == pytest.approx(60)
        assert control.conditions()["Ready"] == ("False", "TasksFailed")
        assert (control.execution()["errors"], script.performed) == (1, ["x"])

    @pytest.mark.parametrize(("status", "reason"), [(500, "InternalError"), (429, "TooManyRequests"), (0, "Timeout")])
    def test_a_failed_write_counts_against_no_plan(self, control: Controller, status: int, reason: str) -> None:
        control.script(["x"])
        control.apply(errorsToTolerate=0)
        control.cluster.fail_next(status, reason)
        control.clock.advance(control.reconcile() or 0)
        with pytest.raises(ApiError):
            control.reconcile()
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert control.execution()["errors"] == 0

    def test_the_work_of_a_long_run_goes_on_without_its_progress(self, control: Controller) -> None:
        failed = Event()

        def fail() -> None:
            failed.set()
            raise ApiError(500, "InternalError", "")

        script = control.script(["x"], {"y": lambda: failed.wait(30)})
        control.apply()
        control.clock.advance(control.reconcile() or 0)
        control.clock.advance(0.999)  # progress is due a moment after the run has begun
        control.cluster.before_next_request(fail)
        control.settle()
        assert (script.performed, control.conditions()) == (["x", "y"], {"Ready": ("True", "Converged")})

    def test_a_lost_event_harms_nothing(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply(errorsToTolerate=0)
        control.cluster.before_next_request(lambda: None)  # the status
        control.cluster.fail_next(403, "Forbidden")  # the Event
        assert control.reconcile() == 600
        assert control.events == []
