"""What the page of a run on this machine shows, from the events of real runs on an injected clock."""

from __future__ import annotations

import gc
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from execloop import Execution, Options, Wait, task
from execloop._engine.events import RunStarted, TaskFailed, TaskFinished, TaskPath, TaskStarted
from execloop._engine.executor import Executor
from execloop.page.runs.record import Record
from execloop.page.runs.steps import Steps
from execloop.page.runs.words import explain
from execloop.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop.page.runs.picture import Picture

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Plan:
    """Returns what each run of it is given, and then nothing."""

    def __init__(self, *runs: Callable[[], Any]) -> None:
        self._runs = list(runs)

    def create(self) -> Any:
        return self._runs.pop(0)() if self._runs else ()


def converge(*runs: Callable[[], Any], look: Callable[[Picture], None] | None = None, **options: Any) -> Record:
    """Run to the end; `look` sees the picture after each event."""
    clock = FakeClock()
    record = Record("keys", clock.monotonic, lambda: NOW)
    if look is not None:
        record.changed = lambda: look(record.picture())
    executor = Executor(Options(**options), clock=clock, listeners=(record.listener(),))
    try:
        executor.run(Plan(*runs))
    except Exception as error:
        record.end("ErrorsExceeded", str(error))
    else:
        record.end("Converged", "")
    return record


def rows(record: Record, run: int = 0) -> list[tuple[int, str, str]]:
    return [(row.depth, row.name, row.state) for row in record.picture().runs[run].rows]


def fail() -> None:
    raise OSError("disk full")


def wait() -> None:
    raise Wait("the rollout")


def test_a_task_stands_above_what_follows_from_it() -> None:
    record = converge(lambda: [task("a", lambda: [task("b", int), task("c", int)]), task("d", int)])
    assert rows(record) == [(0, "a", "done"), (1, "b", "done"), (1, "c", "done"), (0, "d", "done")]


def test_what_has_not_begun_is_counted_after_what_has() -> None:
    seen: list[Picture] = []
    converge(lambda: [task("a", int), task("b", int), task("c", int)], look=seen.append)
    assert [(row.name, row.state) for row in seen[1].runs[0].rows] == [("a", "running"), ("2 to come", "more")]


def test_an_error_stands_beside_its_task_and_in_the_list_with_its_run() -> None:
    picture = converge(lambda: [task("a", fail)], lambda: [task("a", int)]).picture()
    assert picture.runs[0].rows[0].note == "OSError: disk full"
    assert [(one.run, one.task, one.error) for one in picture.failures] == [(1, "a[0]", "OSError: disk full")]
    assert (picture.errors, picture.count, picture.result) == (1, 3, "Converged")


@pytest.mark.parametrize(
    ("body", "state", "why"),
    [(int, "Running", ""), (fail, "Retrying", "OSError: disk full"), (wait, "Waiting", "the rollout")],
)
def test_between_two_runs_the_state_is_that_of_the_last(body: Callable[[], Any], state: str, why: str) -> None:
    seen: list[Picture] = []
    converge(lambda: [task("a", body)], look=seen.append)
    asleep = next(picture for picture in seen if picture.again)
    said, explanation = explain("keys", asleep)
    assert (said, explanation.why) == (state, why)


def test_a_plan_that_waits_itself_says_for_what() -> None:
    picture = converge(lambda: Wait("the database")).picture()
    assert picture.runs[0].waits == ("the database",)


def test_more_errors_than_are_tolerated_are_a_stall_with_what_ended_it() -> None:
    picture = converge(lambda: [task("a", fail)], errors_to_tolerate=0).picture()
    state, explanation = explain("keys", picture)
    assert state == "Stalled"
    assert explanation.what == "has failed: more errors than are tolerated"
    assert "disk full" in explanation.why


def test_a_run_that_was_interrupted_is_over_too() -> None:
    record = Record("keys", FakeClock().monotonic, lambda: NOW)
    record.end("Interrupted", "")
    assert explain("keys", record.picture())[1].what == "was interrupted"


def test_of_10_000_tasks_the_last_are_shown_and_all_that_failed_until_many_did() -> None:
    def many() -> Any:
        return [task(f"t{number}", fail if number in (3, 4) else int) for number in range(10_000)]

    record = converge(many)
    shown = rows(record)
    assert len(shown) < 400
    assert {(0, "t3", "failed"), (0, "t9999", "done")} <= set(shown)
    assert shown[0] == (0, "9848 more are over", "more")


def test_a_chain_of_10_000_tasks_is_drawn_to_a_depth_only() -> None:
    def chain(left: int) -> Callable[[], Any]:
        return lambda: [task(f"t{left}", chain(left - 1))] if left else None

    record = converge(lambda: [task("first", chain(10_000))])
    assert max(depth for depth, _, _ in rows(record)) <= 9


def test_many_open_tasks_end_in_one_line() -> None:
    steps = Steps(1000)
    for position in range(1000):
        steps.start(TaskPath(None, position, task(f"t{position}", int)), 0.0)
    assert len(found := steps.rows()) == 401
    assert found[-1].name == "and more"


def test_only_the_last_40_runs_are_kept_and_the_tasks_of_5() -> None:
    picture = converge(*[lambda: [task("a", int)]] * 60).picture()
    assert (len(picture.runs), picture.runs[0].number, picture.count) == (40, 21, 61)
    assert sum(1 for one in picture.runs if one.rows) == 5


def test_a_task_that_was_left_at_the_deadline_is_cancelled_and_what_had_not_begun_did_not_run() -> None:
    record = Record("keys", FakeClock().monotonic, lambda: NOW)
    listen, path = record.listener(), TaskPath(None, 0, task("slow", int))
    listen(RunStarted(Execution(), ("slow", "next"), 5))
    listen(TaskStarted(path))
    record.close()
    listen(TaskFinished(path, 0))  # its code ends later: nothing follows from it
    assert rows(record) == [(0, "slow", "cancelled"), (0, "1 did not run", "more")]


def test_a_task_that_fails_before_it_begins_is_shown() -> None:
    record = Record("keys", FakeClock().monotonic, lambda: NOW)
    listen = record.listener()
    listen(RunStarted(Execution(), ("broken",), 5))
    listen(TaskFailed(TaskPath(None, 0, task("broken", int)), "pre", OSError("no detail"), 4))
    assert rows(record) == [(0, "broken", "failed")]


def test_of_a_run_that_is_over_no_task_is_kept() -> None:
    class Body:
        def __call__(self) -> None: ...

    bodies = [Body()]
    kept = weakref.ref(bodies[0])
    record = converge(lambda: [task("a", bodies.pop())])
    gc.collect()
    assert rows(record) == [(0, "a", "done")]
    assert kept() is None
