"""What a process keeps of the executions that it has run: the last two of a Plan, of the Plans that ran last."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from execloop import Execution, Options, task
from execloop._engine.events import RunStarted, TaskPath, TaskStarted
from execloop._engine.execution import CreateFailed
from execloop._engine.run import step
from execloop.controller.plancode.redaction.redactor import Redactor
from execloop.page.runs.recent import Recent
from execloop.testing import FakeClock, ScriptedPlan
from tests.asynchronous import in_event_loop

if TYPE_CHECKING:
    from execloop.page.runs.picture import Picture

PLAIN = Redactor()


def a_process(most: int = 500) -> Recent:
    return Recent(FakeClock().monotonic, lambda: datetime(2026, 1, 1, tzinfo=UTC), most)


def run(recent: Recent, uid: str, *steps: Any, execution: str = "e1", redactor: Redactor = PLAIN) -> None:
    """Do a run as the reconciler does."""
    listener, plan = recent.listener(uid, execution, redactor), ScriptedPlan(*steps)
    outcome = step(plan, Execution(), Options(), clock=FakeClock(), notify=listener)
    recent.ended(uid, execution, redactor, outcome)


def latest(recent: Recent, uid: str) -> Picture:
    return recent.of(uid)[0].picture


def names(picture: Picture) -> list[str]:
    return [row.name for one in picture.runs for row in one.rows]


def test_another_plan_shows_nothing_of_it() -> None:
    """A Plan that is made again under the same name has another uid."""
    recent = a_process()
    run(recent, "old", ["rotate"])
    assert names(latest(recent, "old")) == ["rotate"]
    assert recent.of("new") == ()


def test_of_a_plan_that_is_gone_nothing_is_kept() -> None:
    recent = a_process()
    run(recent, "a", ["rotate"])
    assert recent.size > 0
    recent.forget("a")
    recent.forget("a")
    assert (recent.of("a"), len(recent), recent.size) == ((), 0, 0)


def test_the_runs_of_an_execution_stand_together_and_the_one_before_with_its_last_tasks() -> None:
    recent = a_process()
    for execution in ("e1", "e2", "e3"):
        run(recent, "a", [f"{execution} first"], execution=execution)
        run(recent, "a", [f"{execution} second"], execution=execution)
    newer, older = recent.of("a")
    assert (newer.execution, names(newer.picture)) == ("e3", ["e3 first", "e3 second"])
    assert (older.execution, names(older.picture)) == ("e2", ["e2 second"])


def test_an_error_of_create_is_an_error_without_a_task() -> None:
    recent = a_process()
    recent.ended("a", "e1", Redactor(["hunter2"]), CreateFailed(Execution(), OSError("no hunter2")))
    (failure,) = latest(recent, "a").failures
    assert (failure.task, failure.error) == ("create()", "OSError: no …")


def test_an_execution_without_work_is_known_too() -> None:
    recent = a_process()
    run(recent, "a")
    assert latest(recent, "a").runs == ()


def test_of_many_plans_those_that_ran_last_are_kept() -> None:
    recent = a_process(most=3)
    for uid in "abca":
        run(recent, uid, ["work"])
    run(recent, "d", ["work"])
    assert [bool(recent.of(uid)) for uid in "abcd"] == [True, False, True, True]


def test_what_10_000_tasks_with_long_names_take_is_bounded() -> None:
    recent = a_process()
    for _ in range(5):
        run(recent, "a", [f"{number} {'n' * 300}" for number in range(10_000)])
    picture = latest(recent, "a")
    assert (picture.tasks, picture.runs[-1].tasks) == (50_000, 10_000)
    assert recent.size < 300_000


def test_when_all_together_is_too_much_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execloop.page.runs.recent._MOST_BYTES", 100_000)
    recent = a_process()
    for number in range(20):
        run(recent, f"p{number}", [f"{task} {'n' * 150}" for task in range(50)])
    assert recent.size <= 100_000
    assert recent.of("p19")
    assert not recent.of("p0")


def test_an_error_of_the_page_costs_no_run_and_does_not_name_what_a_secret_may_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recent = a_process()
    listen = recent.listener("a", "e1", PLAIN)
    listen(RunStarted(Execution(), ("hunter2",), 5))
    lost = TaskPath(TaskPath(None, 0, task("hunter2", int)), 0, task("hunter2", int))
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            listen(TaskStarted(lost))  # its parent is not known
    assert [record.message for record in caplog.records] == [
        "the page has lost track of a run: an error of the operator: KeyError"
    ]


@pytest.mark.parametrize("from_thread", [False, True])
@in_event_loop
async def test_who_waits_for_a_plan_wakes_when_its_tasks_do_something_and_not_for_another(from_thread: bool) -> None:
    recent = a_process()
    mine, other = (asyncio.create_task(recent.newer(uid, recent.version(uid))) for uid in ("a", "b"))
    await asyncio.sleep(0)
    if from_thread:
        thread = threading.Thread(target=run, args=(recent, "a", ["work"]))
        thread.start()
    else:
        run(recent, "a", ["work"])
    async with asyncio.timeout(30):
        await mine
    assert not other.done()
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    assert recent._waiting == {}


@in_event_loop
async def test_who_asks_for_a_version_that_has_passed_does_not_wait() -> None:
    recent = a_process()
    run(recent, "a", ["work"])
    await recent.newer("a", 0)


def test_runs_of_many_threads_do_not_mix() -> None:
    recent = a_process()

    def work(uid: str) -> None:
        for number in range(20):
            run(recent, uid, [f"{uid} {number} {place}" for place in range(20)])

    threads = [threading.Thread(target=work, args=(f"p{number}",)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for number in range(8):
        picture = latest(recent, f"p{number}")
        assert picture.tasks == 400
        assert all(name.startswith(f"p{number} ") for name in names(picture))
