"""What a plan adds to `context.inventory`: written with the status, never lost."""

from collections.abc import Callable

import pytest

from tests.controlling import Controller

pytestmark = pytest.mark.usefixtures("control")


def add(control: Controller, *entries: str) -> Callable[[], None]:
    return lambda: control.contexts[-1].inventory.update(entries)


def test_it_is_written_with_the_status_and_given_to_the_next_process(control: Controller) -> None:
    control.script({"x": add(control, "ConfigMap/default/b", "ConfigMap/default/a")})
    control.apply()
    control.settle()
    assert control.status()["inventory"] == ["ConfigMap/default/a", "ConfigMap/default/b"]
    control.start()
    control.script(["y"])
    control.annotate(requestedAt="now")
    control.settle()
    assert list(control.contexts[-1].inventory) == ["ConfigMap/default/a", "ConfigMap/default/b"]


def test_an_empty_one_is_left_out(control: Controller) -> None:
    def forget() -> None:
        control.contexts[-1].inventory.clear()

    control.script({"x": add(control, "ConfigMap/default/a")}, {"y": forget})
    control.apply()
    control.settle()
    assert "inventory" not in control.status()


def test_a_run_that_failed_keeps_what_it_made(control: Controller) -> None:
    def half() -> None:
        add(control, "ConfigMap/default/a")()
        raise OSError("the second is refused")

    control.script({"x": half})
    control.apply(errorsToTolerate=0)
    control.settle()
    assert control.conditions()["Stalled"] == ("True", "ErrorsExceeded")
    assert control.status()["inventory"] == ["ConfigMap/default/a"]


def test_an_edit_in_the_middle_of_a_run_loses_nothing(control: Controller) -> None:
    edit = control.meanwhile(lambda: control.edit(parameters={"other": 1}))

    def work() -> None:
        add(control, "ConfigMap/default/a")()
        edit()

    control.script({"x": work})
    control.apply()
    control.settle()
    assert control.status()["inventory"] == ["ConfigMap/default/a"]


def test_a_name_from_a_secret_stalls_the_plan_before_it_is_shown(control: Controller) -> None:
    control.put("ServiceAccount", "own")
    control.put("Secret", "s", {"password": "s3cretpassword"})
    control.script({"x": add(control, "ConfigMap/default/s3cretpassword")})
    control.apply(serviceAccountName="own", parametersFrom=[{"kind": "Secret", "name": "s"}], errorsToTolerate=0)
    control.settle()
    assert "s3cretpassword" not in str(control.status())
    assert control.conditions()["Stalled"] == ("True", "FatalError")


class TestRecovery:
    """Whether the plan is asked to look for what an ended process made and did not write down."""

    def test_a_process_that_has_not_seen_the_plan_converge_asks_for_it(self, control: Controller) -> None:
        control.script(["x"])
        control.apply()
        control.reconcile()
        assert control.contexts[-1].inventory.recover

    def test_one_that_was_recovered_is_not_asked_again(self, control: Controller) -> None:
        def recover() -> None:
            control.contexts[-1].inventory.recover = False

        control.script({"x": recover}, ["y"])
        control.apply(sleepBetweenRuns="500ms")
        control.settle()
        assert [context.inventory.recover for context in control.contexts[1:]] == [False, False]

    def test_a_plan_that_was_done_before_the_process_began_needs_none(self, control: Controller) -> None:
        control.script(["x"])
        control.apply()
        control.settle()
        control.start()
        control.annotate(requestedAt="now")
        control.settle()
        assert not control.contexts[-1].inventory.recover
