"""No false word, no forgotten Plan: what changes at the wrong moment, or what another hand or clock did."""

import json
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import Any, TypeAlias

import pytest

from execloop._engine.errors import FatalError
from execloop._engine.execution import Execution
from execloop._engine.waits import Wait
from execloop.controller.plancode.host import PlanHost
from execloop.controller.reconcile.execution.executions import engine_state
from execloop.controller.status import size
from execloop.controller.watch.snapshot import Key, parse_status
from execloop.kube import ApiError
from execloop.testing import ScriptedPlan
from tests.controlling import NAMESPACE, PLANS, Controller

Change: TypeAlias = Callable[[Controller], object]
KEY = Key(NAMESPACE, "a")
DOWN = OSError("the database is down")


class Looking(ScriptedPlan):
    """Something happens while its `create()` looks at the world for the last time."""

    def __init__(self, meanwhile: Callable[[], object], *script: Any) -> None:
        super().__init__(*script)
        self._meanwhile = meanwhile

    def create(self) -> Any:
        found = super().create()
        if not found:
            meanwhile, self._meanwhile = self._meanwhile, list
            meanwhile()
        return found


def looking(control: Controller, *deeds: Callable[[], object], script: tuple[Any, ...] = ()) -> ScriptedPlan:
    plan = control._scripts["a"] = Looking(control.meanwhile(*deeds), *script)
    return plan


def suspended(control: Controller) -> None:
    control.edit(suspend=True)


def with_another_spec(control: Controller) -> None:
    control.edit(parameters={"size": 2})


def deleted(control: Controller) -> None:
    control.delete()


class TestSnapshot:
    """What is written speaks of the generation that was looked at."""

    @pytest.mark.parametrize("interval", ["10m", "1h"])
    def test_ready_is_said_of_the_generation_whose_inputs_were_observed(
        self, control: Controller, interval: str
    ) -> None:
        looking(control, lambda: control.edit(parameters={"size": 2}, interval=interval))
        control.apply()
        control.reconcile()
        assert all(status["observedGeneration"] == 1 for status in control.written)
        assert control.conditions().get("Ready") != ("True", "Converged")
        control.settle()
        assert (control.status()["observedGeneration"], control.parameters) == (2, [])

    def test_an_edit_that_changes_no_input_leaves_the_result_of_the_generation_before(
        self, control: Controller
    ) -> None:
        looking(control, lambda: control.edit(interval="1h"))
        control.apply()
        control.reconcile()
        assert (control.status()["observedGeneration"], control.conditions()) == (1, {"Ready": ("True", "Converged")})
        control.reconcile()
        assert control.status()["observedGeneration"] == 2

    @pytest.mark.parametrize("change", [suspended, with_another_spec, deleted])
    @pytest.mark.parametrize(
        "spec",
        [
            {"parametersFrom": [{"kind": "ConfigMap", "name": "c"}]},
            {"dependsOn": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "c"}]},
            {"deletionPolicy": "Teardown"},
            {"approval": "Manual"},
        ],
        ids=lambda spec: next(iter(spec)),
    )
    def test_no_task_begins_for_a_plan_that_changed_while_its_reconcile_waited(
        self, control: Controller, change: Change, spec: dict[str, Any]
    ) -> None:
        control.put("ConfigMap", "c")
        script = control.script(["x"], ["x"])
        control.apply(**spec)
        control.watch()

        def happens() -> None:
            change(control)
            control.watch()

        control.cluster.before_next_request(happens)
        with suppress(ApiError):  # that it is gone
            control.reconcile()
        assert script.performed == []

    def test_an_approval_of_the_spec_before_is_not_spent(self, control: Controller) -> None:
        script = control.script(*[["x"]] * 4)
        control.apply(approval="Manual")
        control.reconcile()
        control.annotate(approve=control.status()["pending"]["digest"])

        def happens() -> None:
            control.edit(parameters={"size": 2})
            control.watch()

        control.cluster.before_next_request(happens)
        control.reconcile()
        control.reconcile()
        assert (control.conditions()["Ready"], script.performed) == (("Unknown", "ApprovalRequired"), [])


class TestDrift:
    """Drift is told at any moment; it causes one more look."""

    @pytest.mark.parametrize("interval", ["10m", "0s"])
    def test_told_while_the_plan_looks_it_causes_one_more_look(self, control: Controller, interval: str) -> None:
        script = looking(control, lambda: control.reconciler.drifted(KEY))
        control.apply(interval=interval)
        assert control.reconcile() == pytest.approx(0.2)
        control.clock.advance(0.2)
        control.reconcile()
        assert script.runs == 2
        assert control.reconcile() == (pytest.approx(control.next_look()) if interval == "10m" else None)

    def test_of_what_a_plan_waits_for_it_brings_the_next_look_forward(self, control: Controller) -> None:
        script = control.script(Wait("the job", again_in=30), Wait("the job", again_in=30))
        control.apply()
        assert control.reconcile() == pytest.approx(30)
        for left in (0.8, 0.6, 0.4):  # a further change does not delay the look that the first one asked for
            assert control.reconciler.drifted(KEY)
            control.clock.advance(0.2)
            assert control.reconcile() == pytest.approx(left)
        control.clock.advance(0.4)
        control.reconcile()
        assert script.runs == 2

    def test_told_while_a_run_lasts_that_then_waits_it_causes_a_look_a_second_later(self, control: Controller) -> None:
        told = control.meanwhile(lambda: control.reconciler.drifted(KEY))

        def begin() -> Wait:
            told()
            return Wait("the job", again_in=30)

        control.script({"begin": begin}, Wait("the job", again_in=30))
        control.apply()
        assert control.reconcile() == pytest.approx(1)
        control.clock.advance(1)
        assert control.reconcile() == pytest.approx(30)

    def test_told_before_the_last_look_of_an_execution_that_look_sees_it(self, control: Controller) -> None:
        script = control.script({"x": control.meanwhile(lambda: control.reconciler.drifted(KEY))})
        control.apply()
        control.settle()
        assert (script.runs, control.execution()["result"]) == (2, "Converged")

    def test_found_with_a_dependency_unmet_ready_stays_false_until_it_is_repaired(self, control: Controller) -> None:
        control.apply(name="first")
        control.settle("first")
        control.apply(dependsOn=[{"name": "first"}])
        control.settle()
        control.delete("first")
        control.script(*[["x"]] * 9)
        control.watch()
        control.reconciler.drifted(KEY)
        for _ in range(3):
            delay = control.reconcile()
            assert control.conditions()["Ready"] == ("False", "DependencyNotReady")
            control.clock.advance(delay or 0)
        control.apply(name="first")
        control.settle("first")
        script = control.script(["x"])
        for _ in range(4):
            control.clock.advance(control.reconcile() or 0)
        assert (script.performed, control.conditions()) == (["x"], {"Ready": ("True", "Converged")})


class TestOtherHands:
    @pytest.mark.parametrize("mode", ["Reconcile", "Once"])
    @pytest.mark.parametrize(
        "edit",
        [
            {"conditions": None},
            {
                "conditions": [
                    {"type": "Ready", "status": "False", "reason": "X", "lastTransitionTime": "2026-01-02T00:00:00Z"}
                ]
            },
            {"execution": None},
        ],
        ids=["emptied", "edited", "without execution"],
    )
    def test_a_status_at_rest_is_put_right_though_nothing_else_changed(
        self, control: Controller, mode: str, edit: dict[str, Any]
    ) -> None:
        control.apply(mode=mode, interval="0s")
        control.settle()
        control.spoil(**edit)
        control.reconcile()
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert control.execution()["result"] == "Converged"

    def test_a_next_run_in_the_far_future_holds_a_plan_back_no_longer_than_its_spec_allows(
        self, control: Controller
    ) -> None:
        control.script({"x": DOWN}, ["x"])
        control.apply(errorBackoff={"initial": "1s", "max": "10s"})
        control.reconcile()
        control.spoil(nextRunAt="2099-01-01T00:00:00Z")
        control.start()
        assert control.reconcile() == pytest.approx(11)

    def test_a_teardown_of_an_unknown_plan_is_looked_at_again_until_its_namespace_goes(
        self, control: Controller
    ) -> None:
        control.apply(deletionPolicy="Teardown")
        control.settle()
        control.plans_are_missing = True
        control.start()
        control.delete()
        delay = control.reconcile()
        assert (delay, control.names()) == (30, ["a"])

        def terminating() -> None:
            raise ApiError(403, "Forbidden", "namespace team is being terminated")

        control.cluster.before_next_request(terminating)
        control.reconcile()
        assert control.names() == []

    def test_a_deletion_by_ttl_that_meets_a_conflict_is_tried_again(self, control: Controller) -> None:
        control.apply(mode="Once", ttlAfterFinished="1s")
        control.settle()
        control.clock.advance(1)
        control.cluster.before_next_request(lambda: control.label(team="ours"))
        assert control.reconcile() == 0
        control.reconcile()
        assert control.names() == []


class TestClock:
    @pytest.mark.parametrize("step", [3600, -3600])
    def test_a_step_of_the_wall_clock_neither_stalls_nor_delays_an_execution(
        self, control: Controller, step: float
    ) -> None:
        control.script({"x": DOWN}, ["x"])
        control.apply(errorBackoff={"initial": "10s"}, executionTimeout="20m")
        control.reconcile()
        control.skew = step
        assert control.reconcile() == 10
        control.clock.advance(10)
        control.settle()
        execution = control.execution()
        assert execution["result"] == "Converged"
        assert execution["startedAt"] < execution["finishedAt"]

    def test_the_wait_for_a_thread_does_not_count_against_the_deadline(self, control: Controller) -> None:
        control.max_threads = 0
        control.start()
        control.apply(executionTimeout="20s")
        for _ in range(9):
            control.clock.advance(control.reconcile() or 0)
        control.code = control.reconciler._driver._runs._code = PlanHost(1, 1)
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}

    def test_a_backoff_ends_at_the_deadline(self, control: Controller) -> None:
        control.script({"x": DOWN})
        control.apply(errorBackoff={"initial": "1h", "max": "1h"}, executionTimeout="1m")
        assert control.reconcile() == pytest.approx(60)
        control.clock.advance(60)
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "ExecutionTimeout")


class TestApproval:
    def test_another_version_of_the_code_is_asked_about_again_also_with_once(self, control: Controller) -> None:
        script = control.script(["x"], ["x"], *[["y", "x"]] * 9)
        control.apply(approval="Manual", mode="Once", sleepBetweenRuns="10s")
        control.reconcile()
        control.annotate(approve=control.status()["pending"]["digest"])
        control.reconcile()
        assert script.performed == ["x"]
        control.code_version = "2"
        control.start()
        control.script(*[["x"]] * 9)
        control.clock.advance(10)
        control.reconcile()
        assert control.conditions()["Ready"] == ("Unknown", "ApprovalRequired")

    def test_a_digest_is_of_the_true_names_though_they_are_shown_without_a_secret(self, control: Controller) -> None:
        control.put("ServiceAccount", "own")
        control.put("Secret", "s", {"first": "customers", "second": "invoices"})
        seen: list[tuple[list[str], str]] = []
        for name in ("customers", "invoices"):
            control.script([f"drop {name}"])
            if not seen:
                sources = [{"kind": "Secret", "name": "s"}]
                control.apply("scripted", approval="Manual", serviceAccountName="own", parametersFrom=sources)
            control.reconcile()
            control.clock.advance(600)
            seen.append((control.status()["pending"]["tasks"], control.status()["pending"]["digest"]))
        (shown, digest), (other_shown, other_digest) = seen
        assert shown == other_shown
        assert "customers" not in shown[0]
        assert digest != other_digest


class TestAbandoned:
    def test_a_plan_whose_code_still_blocks_is_let_go_by_its_annotation(self, control: Controller) -> None:
        release = Event()
        control.undo({"x": lambda: release.wait(30)})
        control.apply(deletionPolicy="Teardown", executionTimeout="100ms")
        control.settle()
        control.delete()
        control.reconcile()
        control.annotate(abandon="true")
        control.reconcile()
        assert control.names() == []
        release.set()


class TestDurable:
    def test_an_end_that_was_not_written_is_written_by_the_next_reconcile_with_its_event(
        self, control: Controller
    ) -> None:
        control.script({"x": FatalError("no such database")})
        control.apply()
        control.cluster.fail_next()
        with pytest.raises(ApiError):
            control.reconcile()
        control.reconcile()
        assert (control.conditions()["Stalled"], control.execution()["runs"]) == (("True", "FatalError"), 1)
        assert control.events == [("Warning", "FatalError")]

    def test_an_end_is_written_also_while_code_of_the_plan_still_blocks(self, control: Controller) -> None:
        release = Event()
        control.script({"x": lambda: release.wait(30)})
        control.apply(executionTimeout="100ms")
        control.cluster.fail_next()
        with pytest.raises(ApiError):
            control.reconcile()
        assert control.code.barred == {KEY}
        control.reconcile()
        assert control.conditions()["Stalled"] == ("True", "ExecutionTimeout")
        assert control.events == [("Warning", "ExecutionTimeout")]
        release.set()

    def test_no_status_is_written_that_is_larger_than_it_may_be(
        self, control: Controller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(size, "MOST_BYTES", 3000)
        control.apply(historyLimit=30)
        for number in range(30):
            control.annotate(requestedAt=str(number))
            control.settle()
        assert 0 < len(control.status()["history"]) < 30
        assert max(len(json.dumps(status)) for status in control.written) <= 3500  # with the spaces of this text

    def test_many_short_runs_are_a_handful_of_writes(self, control: Controller) -> None:
        control.script(*[["x"]] * 40)
        control.apply(sleepBetweenRuns="500ms")
        for _ in range(41):
            control.clock.advance(control.reconcile() or 0)
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert len(control.written) <= 6

    def test_the_errors_of_a_run_under_way_are_written_soon_after_the_first(
        self, control: Controller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "execloop.controller.reconcile.execution.progress.QUICK", 0.05
        )  # the walk has counted the error by then
        written = Event()
        control.script({"x": DOWN, "y": lambda: written.wait(30)})
        control.apply()
        control.cluster.after_writes(written.set)
        control.reconcile()
        first = parse_status({"status": control.written[0]}).execution
        assert first is not None
        assert engine_state(first) == Execution(first.id, first.started_at.timestamp(), errors=1)


def test_a_plan_that_is_being_reconciled_is_not_reconciled_by_another_at_the_same_moment(control: Controller) -> None:
    seen: list[object] = []

    async def again() -> None:
        seen.append(await control.reconciler.reconcile(KEY))

    script = control.script({"x": control.meanwhile(again)})
    control.apply()
    control.settle()
    assert (script.performed, len(seen)) == (["x"], 1)
    assert f"{PLANS}/a" in control.cluster.objects
