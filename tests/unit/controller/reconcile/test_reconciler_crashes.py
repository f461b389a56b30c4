"""A Plan whose code has ended the process too often: it runs no more, until something else is to be run."""

from typing import Any

import pytest

from execloop.controller.watch.cache import Key
from tests.controlling import NAMESPACE, Controller

STALLED = {"Ready": ("False", "PlanCrashes"), "Stalled": ("True", "PlanCrashes")}


@pytest.fixture
def stalled(control: Controller) -> Controller:
    control.refuses = True
    control.apply(interval="1m")
    control.script(["x"])
    control.settle()
    return control


def test_its_code_is_not_called(control: Controller) -> None:
    control.refuses = True
    script = control.script(["x"])
    control.apply()
    assert control.settle() is None
    assert script.runs == 0
    assert control.conditions() == STALLED
    assert control.execution()["result"] == "PlanCrashes"
    message = next(c["message"] for c in control.status()["conditions"] if c["type"] == "Stalled")
    assert message.startswith("its code ended the operator's process 3 times in a row")
    assert ("Warning", "PlanCrashes") in control.events


@pytest.mark.parametrize("spec", [{"mode": "Once"}, {"mode": "Preview"}, {"approval": "Manual"}])
def test_no_mode_calls_it(control: Controller, spec: dict[str, Any]) -> None:
    control.refuses = True
    script = control.script(["x"])
    control.apply(**spec)
    assert control.settle() is None
    assert script.runs == 0
    assert control.conditions() == STALLED


def test_it_is_not_observed_at_its_interval_nor_after_a_restart(stalled: Controller) -> None:
    """Also where nobody remembers the crashes: the status does."""
    stalled.refuses = False
    script = stalled.script(["x"])
    stalled.clock.advance(6000)
    assert stalled.reconcile() is None
    stalled.start()
    assert stalled.settle() is None
    assert script.runs == 0
    assert stalled.conditions() == STALLED


def test_a_reconcile_at_rest_writes_nothing(stalled: Controller) -> None:
    writes = len(stalled.written)
    for _ in range(3):
        stalled.start()
        stalled.settle()
    assert len(stalled.written) == writes


def test_drift_does_not_call_it(stalled: Controller) -> None:
    script = stalled.script(["x"])
    stalled.reconciler.drifted(Key(NAMESPACE, "a"))
    stalled.refuses = False
    stalled.settle()
    assert script.runs == 0


def test_changed_inputs_run_it_again(stalled: Controller) -> None:
    stalled.refuses = False
    stalled.edit(parameters={"size": 2})
    stalled.settle()
    assert stalled.conditions() == {"Ready": ("True", "Converged")}


def test_a_request_runs_it_again(stalled: Controller) -> None:
    stalled.refuses = False
    stalled.annotate(requestedAt="now")
    stalled.settle()
    assert stalled.conditions() == {"Ready": ("True", "Converged")}


@pytest.mark.parametrize("mode", ["Reconcile", "Once"])
def test_another_version_of_its_code_runs_it_again(control: Controller, mode: str) -> None:
    control.refuses = True
    control.script(["x"])
    control.apply(mode=mode)
    control.settle()
    control.refuses, control.code_version = False, "2"
    control.start()
    control.settle()
    assert control.conditions() == {"Ready": ("True", "Converged")}


def test_what_crashes_are_counted_for_covers_inputs_code_and_request(control: Controller) -> None:
    control.apply(mode="Once")
    control.settle()
    control.edit(parameters={"size": 2})
    control.settle()
    control.annotate(requestedAt="now")
    control.settle()
    control.code_version = "2"
    control.start()
    control.annotate(requestedAt="later")
    control.settle()
    control.code_version = "3"
    control.start()
    control.edit(parameters={"size": 3})
    control.settle()
    assert len(set(control.admitted)) == 5


def test_one_that_had_converged_stalls_when_it_is_observed(control: Controller) -> None:
    control.apply(interval="1m")
    control.settle()
    control.refuses = True
    control.clock.advance(66)
    assert control.reconcile() is None
    assert control.conditions() == STALLED


def test_its_teardown_waits_for_a_person(control: Controller) -> None:
    control.apply(deletionPolicy="Teardown")
    control.settle()
    control.refuses = True
    undoing = control.undo(["x"])
    control.delete()
    for _ in range(5):
        control.reconcile()
    assert undoing.runs == 0
    assert control.conditions()["Stalled"] == ("True", "TeardownFailed")
    writes = len(control.written)
    control.reconcile()
    assert len(control.written) == writes
    control.annotate(abandon="true")
    control.reconcile()
    assert control.names() == []
