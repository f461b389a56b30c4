"""Where an execution that ended is kept: it is in `execution` until the next begins, then in `history`."""

from collections.abc import Callable
from typing import TypeAlias

import pytest

from execloop import FatalError
from execloop.resource.fields import ended_executions
from tests.controlling import Controller

Change: TypeAlias = Callable[[Controller], object]


def as_an_earlier_version_wrote_it(control: Controller) -> None:
    """The execution without `generation` and `message`, and its entry in the history as soon as it ended."""
    (last,) = ended_executions({"status": control.status()})
    entry = {name: value for name, value in last.items() if value is not None and name not in {"inputs", "lastError"}}
    control.spoil(execution={"generation": None, "message": None}, history=[entry])
    control.start()


WRITTEN: list[Change] = [lambda _: None, as_an_earlier_version_wrote_it]


def stalled(control: Controller) -> str:
    """What the condition says."""
    found: list[str] = [one["message"] for one in control.status()["conditions"] if one["type"] == "Stalled"]
    return found[0]


class TestHistory:
    def test_the_last_execution_is_in_none_until_the_next_begins(self, control: Controller) -> None:
        control.apply()
        control.settle()
        last = control.execution()
        assert "history" not in control.status()
        assert (last["generation"], last["message"]) == (1, "no tasks remain")
        control.script(["x"])
        control.edit(parameters={"size": 2})
        control.settle()
        (entry,) = control.status()["history"]
        assert entry == {name: value for name, value in last.items() if name != "inputs"}

    @pytest.mark.parametrize("write", WRITTEN, ids=["this version", "an earlier version"])
    def test_each_execution_is_in_it_once(self, control: Controller, write: Change) -> None:
        control.apply()
        control.settle()
        last = control.execution()["id"]
        write(control)
        control.annotate(requestedAt="now")
        control.settle()
        (entry,) = control.status()["history"]
        assert (entry["id"], entry["generation"], entry["message"]) == (last, 1, "no tasks remain")

    @pytest.mark.parametrize("write", WRITTEN, ids=["this version", "an earlier version"])
    def test_a_plan_that_heals_has_its_end_in_the_execution_alone(self, control: Controller, write: Change) -> None:
        control.script({"x": FatalError("hopeless")})
        control.apply()
        control.settle()
        write(control)
        control.script()
        for _ in range(2):
            control.clock.advance(control.reconcile() or 0)
        assert "history" not in control.status()
        assert (control.execution()["result"], control.execution()["message"]) == ("Converged", "no tasks remain")

    @pytest.mark.parametrize("write", WRITTEN, ids=["this version", "an earlier version"])
    def test_what_a_wrong_edit_hid_of_a_stall_is_known_from_the_execution(
        self, control: Controller, write: Change
    ) -> None:
        control.script({"x": FatalError("hopeless")})
        control.apply()
        control.settle()
        write(control)
        before = stalled(control)
        control.edit(parallelism=0)
        control.reconcile()
        assert stalled(control) != before
        control.edit(parallelism=1)
        control.reconcile()
        assert stalled(control) == before

    def test_with_a_limit_of_0_none_is_kept(self, control: Controller) -> None:
        control.apply(historyLimit=0)
        control.settle()
        control.annotate(requestedAt="now")
        control.settle()
        assert "history" not in control.status()
        assert control.results() == ["Converged"]
