"""Who follows the runs of a Plan hears what its tasks do, with every secret taken out; else no event is made."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from execloop import Wait
from execloop.page.runs.recent import Recent
from tests.controlling import PLANS

if TYPE_CHECKING:
    from execloop.page.runs.picture import Picture
    from tests.controlling import Controller

SECRET = "correct-horse-battery"


@pytest.fixture
def recent(control: Controller) -> Recent:
    control.audience = recent = Recent(control.clock.monotonic, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    control.start()
    return recent


def picture(control: Controller, recent: Recent) -> Picture:
    return recent.of(control.cluster.objects[f"{PLANS}/a"]["metadata"]["uid"])[0].picture


def rows(picture: Picture) -> list[list[tuple[str, str]]]:
    return [[(row.name, row.state) for row in one.rows] for one in picture.runs]


def test_each_run_of_an_execution_is_followed_to_its_end(control: Controller, recent: Recent) -> None:
    control.script({"issue": ["store"], "publish": OSError("full")}, ["publish"])
    control.apply(sleepBetweenRuns="0s")
    control.settle()
    found = picture(control, recent)
    assert rows(found) == [[("issue", "done"), ("store", "done"), ("publish", "failed")], [("publish", "done")]]
    assert [one.seconds is None for one in found.runs] == [False, False]
    assert [(one.run, one.error) for one in found.failures] == [(1, "OSError: full")]
    assert recent.of(control.cluster.objects[f"{PLANS}/a"]["metadata"]["uid"])[0].execution == control.execution()["id"]


def test_nothing_of_a_secret_is_kept_whatever_a_plan_says_it_in(control: Controller, recent: Recent) -> None:
    encoded = base64.b64encode(SECRET.encode()).decode()
    control.put("ServiceAccount", "own")
    control.put("Secret", "db", {"password": SECRET})
    control.script(
        {f"log in as {SECRET}": None, f"send {encoded}": OSError(f"refused: {encoded}"), SECRET: Wait(f"for {SECRET}")},
        OSError(f"create {SECRET}"),
    )
    control.apply(serviceAccountName="own", parametersFrom=[{"kind": "Secret", "name": "db"}])
    for _ in range(3):
        control.clock.advance(control.reconcile() or 0)
    found = picture(control, recent)
    assert len(found.failures) == 2
    assert "…" in str(found)
    for form in (SECRET, encoded):
        assert form not in str(found)


def test_after_an_edit_the_new_execution_is_the_first_and_the_old_one_stands_below(
    control: Controller, recent: Recent
) -> None:
    control.script(["one"], [], ["two"])
    control.apply(parameters={"key": 1})
    control.settle()
    control.edit(parameters={"key": 2})
    control.settle()
    uid = control.cluster.objects[f"{PLANS}/a"]["metadata"]["uid"]
    assert [rows(one.picture) for one in recent.of(uid)] == [[[("two", "done")]], [[("one", "done")]]]


def test_a_task_at_work_when_the_plan_is_edited_ends_and_those_after_it_did_not_run(
    control: Controller, recent: Recent
) -> None:
    edit = control.meanwhile(lambda: control.edit(parameters={"key": 2}))
    control.script({"first": edit, "second": None})
    control.apply(parameters={"key": 1})
    control.reconcile()
    assert rows(picture(control, recent)) == [[("first", "done"), ("1 did not run", "more")]]


def test_a_teardown_is_followed_too(control: Controller, recent: Recent) -> None:
    control.apply(deletionPolicy="Teardown")
    control.settle()
    control.undo(["remove the key"])
    control.delete()
    control.reconcile()
    assert rows(picture(control, recent)) == [[("remove the key", "done")]]


def test_without_an_audience_a_run_makes_no_event(control: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_event(*_: object) -> None:
        raise AssertionError("an event was made")

    monkeypatch.setattr("execloop._engine.walk.TaskStarted", no_event)
    control.script(["one"])
    control.apply()
    control.settle()
    assert control.conditions()["Ready"] == ("True", "Converged")
