"""When an execution begins, what it supersedes, and how the generation is followed."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from execloop.controller.watch.cache import Key
from tests.controlling import NAMESPACE, Controller, Status, conditions

Change: TypeAlias = Callable[[Controller], object]


def new_code(control: Controller) -> None:
    control.code_version = "2"
    control.start()


def pause(control: Controller) -> None:
    control.edit(suspend=True)
    control.reconcile()
    control.edit(suspend=False)


BEGINS: dict[str, Change] = {
    "other parameters": lambda control: control.edit(parameters={"size": 2}),
    "another budget": lambda control: control.edit(errorsToTolerate=9),
    "a request": lambda control: control.annotate(requestedAt="now"),
    "a new version of the plan's code": new_code,
}
GOES_ON: dict[str, Change] = {
    "another interval": lambda control: control.edit(interval="1h"),
    "another limit of the history": lambda control: control.edit(historyLimit=1),
    "a label": lambda control: control.label(team="ours"),
    "nothing": lambda control: None,
    "a restart": lambda control: control.start(),
    "a pause": pause,
}


class TestBegins:
    @pytest.mark.parametrize("change", BEGINS.values(), ids=BEGINS)
    def test_at_rest_it_begins_another_execution(self, control: Controller, change: Change) -> None:
        control.apply()
        control.settle()
        before = control.execution()
        control.clock.advance(60)
        change(control)
        control.settle()
        after = control.execution()
        assert (after["id"] != before["id"], after["startedAt"] > before["startedAt"]) == (True, True)
        assert control.results() == ["Converged", "Converged"]

    @pytest.mark.parametrize("change", GOES_ON.values(), ids=GOES_ON)
    def test_at_rest_it_begins_none(self, control: Controller, change: Change) -> None:
        control.apply()
        control.settle()
        before = control.execution()
        change(control)
        control.settle()
        assert control.execution() == before

    @pytest.mark.parametrize("change", BEGINS.values(), ids=BEGINS)
    def test_under_way_it_is_superseded(self, control: Controller, change: Change) -> None:
        control.script({"x": OSError("down")}, ["old"])
        control.apply(errorBackoff={"initial": "1m"})
        control.reconcile()
        before = control.execution()
        script = control.script(["new"])
        change(control)
        assert control.reconcile() == 1
        control.clock.advance(1)
        control.settle()
        after = control.execution()
        assert (after["id"] != before["id"], after["errors"], script.performed) == (True, 0, ["new"])
        assert control.results() == ["Converged", "Superseded"]

    @pytest.mark.parametrize("change", GOES_ON.values(), ids=GOES_ON)
    def test_under_way_it_goes_on(self, control: Controller, change: Change) -> None:
        control.script({"x": OSError("down")}, {"x": OSError("down")})
        control.apply(errorBackoff={"initial": "1m"})
        control.reconcile()
        before = control.execution()
        change(control)
        control.settle()
        after = control.execution()
        assert (after["id"], after["startedAt"], after["errors"]) == (before["id"], before["startedAt"], 2)
        assert control.results() == ["Converged"]

    def test_a_stalled_execution_gives_way_to_another_with_a_new_budget(self, control: Controller) -> None:
        control.script({"x": OSError("down")}, {"x": OSError("down")})
        control.apply(errorsToTolerate=0)
        control.settle()
        assert control.conditions()["Stalled"] == ("True", "ErrorsExceeded")
        control.edit(errorsToTolerate=1)
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert (control.execution()["errors"], control.results()) == (1, ["Converged", "ErrorsExceeded"])

    def test_a_status_that_somebody_spoilt_means_looking_at_the_world_again(self, control: Controller) -> None:
        control.apply()
        control.settle()
        control.spoil(execution={"startedAt": "yesterday"})
        script = control.script(["x"])
        control.settle()
        assert (script.performed, control.conditions()) == (["x"], {"Ready": ("True", "Converged")})

    @pytest.mark.parametrize("emptied", [{"conditions": None}, {"execution": None}], ids=str)
    def test_a_status_that_somebody_emptied_is_filled_again(self, control: Controller, emptied: dict[str, Any]) -> None:
        control.apply()
        control.settle()
        control.spoil(**emptied)
        control.start()
        control.settle()
        assert control.conditions() == {"Ready": ("True", "Converged")}
        assert control.execution()["result"] == "Converged"

    def test_an_execution_that_somebody_removed_is_put_back(self, control: Controller) -> None:
        control.apply()
        delay = control.settle()
        before = control.status()
        control.spoil(execution=None)
        control.clock.advance(delay or 0)
        assert control.reconcile() == pytest.approx(control.next_look())
        assert control.status() == before


class TestUnchangedGeneration:
    @pytest.mark.parametrize("change", [BEGINS["a request"], new_code], ids=["request", "code"])
    def test_work_is_told_before_it_begins(self, control: Controller, change: Change) -> None:
        control.apply()
        control.settle()
        seen: list[Status] = []
        control.script({"x": lambda: seen.append(control.status())})
        change(control)
        control.settle()
        assert conditions(seen[0]) == {"Ready": ("Unknown", "Progressing"), "Reconciling": ("True", "Progressing")}
        assert len(control.written) == 3

    @pytest.mark.parametrize("change", [BEGINS["a request"], new_code], ids=["request", "code"])
    def test_without_work_there_is_nothing_to_tell_before(self, control: Controller, change: Change) -> None:
        control.apply()
        control.settle()
        change(control)
        control.settle()
        assert [conditions(status) for status in control.written] == [{"Ready": ("True", "Converged")}] * 2

    def test_work_that_was_overtaken_before_it_began_is_not_done(self, control: Controller) -> None:
        control.apply()
        control.settle()
        script = control.script(["old"], ["new"])
        control.annotate(requestedAt="now")
        control.cluster.before_next_request(lambda: control.edit(parameters={"size": 2}))
        control.settle()
        assert script.performed == ["new"]


class TestRequest:
    def test_it_is_answered_in_the_first_write_of_its_execution(self, control: Controller) -> None:
        control.script([], ["x"])
        control.apply()
        control.settle()
        control.annotate(requestedAt="now")
        control.settle()
        assert control.written[1]["lastHandledReconcileAt"] == "now"
        assert conditions(control.written[1])["Reconciling"] == ("True", "Progressing")

    def test_it_is_answered_once(self, control: Controller) -> None:
        control.apply()
        control.settle()
        control.annotate(requestedAt="now")
        control.settle()
        before = control.status()
        control.start()
        control.settle()
        assert control.status() == before

    def test_one_that_a_new_plan_brings_along_asks_for_no_second_execution(self, control: Controller) -> None:
        control.apply()
        control.annotate(requestedAt="now")
        control.settle()
        assert (len(control.written), control.results()) == (1, ["Converged"])
        assert control.status()["lastHandledReconcileAt"] == "now"


class TestDrift:
    def test_what_an_observation_finds_after_convergence_is_repaired_by_an_execution_of_its_own(
        self, control: Controller
    ) -> None:
        control.apply()
        delay = control.settle()
        before = control.execution()["id"]
        script = control.script(["mend"])
        control.clock.advance(delay or 0)
        control.settle()
        assert (script.performed, script.runs) == (["mend"], 2)
        assert control.execution()["id"] != before
        assert control.events == [("Normal", "DriftRepaired")]

    def test_nobody_reads_ready_while_it_is_repaired(self, control: Controller) -> None:
        seen: list[Status] = []
        control.apply()
        delay = control.settle()
        control.script({"mend": lambda: seen.append(control.status())})
        control.clock.advance(delay or 0)
        control.settle()
        assert conditions(seen[0]) == {"Ready": ("Unknown", "Progressing"), "Reconciling": ("True", "Progressing")}
        assert seen[0]["observedGeneration"] == 1

    def test_something_that_has_changed_makes_a_plan_at_rest_due_now(self, control: Controller) -> None:
        control.apply()
        control.settle()
        script = control.script(["mend"])
        assert control.reconciler.drifted(Key(NAMESPACE, "a"))
        control.settle()
        assert script.performed == ["mend"]

    def test_a_plan_that_has_work_anyway_does_not_care_for_changes(self, control: Controller) -> None:
        control.script({"x": OSError("down")})
        control.apply(errorBackoff={"initial": "1m"})
        control.reconcile()
        assert not control.reconciler.drifted(Key(NAMESPACE, "a"))
        assert not control.reconciler.drifted(Key(NAMESPACE, "nosuch"))
        assert control.reconcile() == pytest.approx(60)


class TestRequestsAboutSteps:
    """The annotations execloop.dev/retry and execloop.dev/skip: `<step>@<execution>`."""

    @pytest.mark.parametrize("kind", ["retry", "skip"])
    def test_it_begins_one_new_execution_that_knows_the_step(self, control: Controller, kind: str) -> None:
        control.apply()
        control.settle()
        before = control.execution()["id"]
        script = control.script(["first"], ["second"])
        control.annotate(**{kind: f"copy@{before}", "request-by": "ann", "request-reason": "by hand"})
        control.settle()
        assert script.performed == ["first", "second"]
        assert control.execution()["id"] != before
        asked = [control.execution()[field] for field in ("request", "requestedBy", "requestReason")]
        assert asked == [f"{kind} copy", "ann", "by hand"]
        after = control.execution()["id"]
        control.settle()
        assert control.execution()["id"] == after

    @pytest.mark.parametrize("value", ["copy@another", "copy", "@", "", "x" * 200 + "@{id}"])
    def test_of_another_execution_or_without_a_step_it_asks_for_nothing(self, control: Controller, value: str) -> None:
        control.apply()
        control.settle()
        before = control.execution()["id"]
        control.annotate(retry=value.format(id=before))
        control.settle()
        assert control.execution()["id"] == before


class TestGeneration:
    def test_every_condition_speaks_of_the_generation_that_was_converged(self, control: Controller) -> None:
        control.apply()
        control.settle()
        control.edit(parameters={"size": 2})
        control.settle()
        assert generations(control) == (2, {"Ready": 2})

    def test_at_rest_a_change_that_asks_for_no_work_is_observed_at_once(self, control: Controller) -> None:
        control.apply()
        control.settle()
        transition = control.status()["conditions"][0]["lastTransitionTime"]
        control.clock.advance(60)
        control.edit(interval="1h")
        control.settle()
        assert generations(control) == (2, {"Ready": 2})
        assert control.status()["conditions"][0]["lastTransitionTime"] == transition

    def test_under_way_such_a_change_is_observed_when_the_execution_has_ended(self, control: Controller) -> None:
        control.script({"x": OSError("down")})
        control.apply(errorBackoff={"initial": "1m"})
        control.reconcile()
        control.edit(interval="1h")
        control.reconcile()
        assert control.status()["observedGeneration"] == 1
        control.settle()
        assert generations(control) == (2, {"Ready": 2})

    def test_a_stalled_plan_observes_such_a_change_too(self, control: Controller) -> None:
        control.script({"x": OSError("down")})
        control.apply(errorsToTolerate=0)
        control.settle()
        control.edit(interval="1h")
        control.settle()
        assert generations(control) == (2, {"Ready": 2, "Stalled": 2})


def generations(control: Controller) -> tuple[int, dict[str, int]]:
    status = control.status()
    return status["observedGeneration"], {c["type"]: c["observedGeneration"] for c in status["conditions"]}


class TestKept:
    """What a plan writes to `context.state`."""

    def keep(self, control: Controller, **state: Any) -> Callable[[], None]:
        return lambda: control.contexts[-1].state.update(state)

    def test_it_is_written_with_the_status_and_given_to_the_next_run_and_process(self, control: Controller) -> None:
        control.script({"x": self.keep(control, request="r-1")})
        control.apply()
        control.settle()
        assert control.status()["kept"] == {"request": "r-1"}
        control.start()
        control.script(["y"])
        control.annotate(requestedAt="now")
        control.settle()
        assert control.contexts[-1].state == {"request": "r-1"}

    def test_it_is_durable_at_the_end_of_the_run_that_changed_it(self, control: Controller) -> None:
        control.script({"x": self.keep(control, request="r-1")}, ["x"])
        control.apply(sleepBetweenRuns="500ms")
        control.reconcile()
        assert control.status()["kept"] == {"request": "r-1"}

    @pytest.mark.parametrize(
        ("state", "why"),
        [
            ({"a": object()}, "JSON values only"),
            ({"a": "x" * 20_000}, "at most 16384 are kept"),
            ({"parts": {"web": {"k": "x" * 20_000}, "b": 1}}, "(most of them in parts.web.k)"),
        ],
        ids=["no JSON", "too much", "too much of one part"],
    )
    def test_what_cannot_be_kept_stalls_the_plan_and_says_why(
        self, control: Controller, state: dict[str, Any], why: str
    ) -> None:
        control.script({"x": self.keep(control, **state)})
        control.apply()
        control.settle()
        assert control.conditions()["Stalled"] == ("True", "FatalError")
        assert why in control.status()["conditions"][0]["message"]
        assert "kept" not in control.status()

    def test_a_value_of_a_secret_is_not_kept(self, control: Controller) -> None:
        control.put("ServiceAccount", "own")
        control.put("Secret", "s", {"password": "s3cretpassword"})
        control.script({"x": self.keep(control, seen="s3cretpassword")})
        control.apply(serviceAccountName="own", parametersFrom=[{"kind": "Secret", "name": "s"}])
        control.settle()
        assert "s3cretpassword" not in str(control.status())
        assert control.conditions()["Stalled"] == ("True", "FatalError")
