"""The walk alone: no clock, no loop, no calls. The test plays the driver."""

from typing import Any

import pytest

from execloop import Execution, FatalError, Options, ToleranceExceeded
from execloop._engine.events import Event, TaskFailed, TaskFinished, TaskStarted
from execloop._engine.walk import RUNNING, WAIT, AttemptEnded, Failure, Stop, Walk


class Named:
    """No more of a task than the walk looks at."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def tasks(names: str) -> Any:
    return tuple(map(Named, names))


def walk(names: str, *, errors: int = 0, stop: Stop | None = None, notify: Any = None, **options: Any) -> Walk:
    return Walk(tasks(names), Execution(errors=errors), Options(**options), stop or Stop(), notify)


def names(step: Any) -> str:
    return "".join(task.name for task in step)


def take(step: Any, number: int = 1) -> str:
    return "".join(next(step).name for _ in range(number))


def failure(error: Exception | None = None) -> Failure:
    return Failure("perform", error or OSError("down"))


# -- siblings


def test_it_yields_all_siblings_at_once_and_ends_when_they_had_nothing_to_tell() -> None:
    one = walk("abc")
    assert names(one.begin()) == "abc"
    assert one.advance(None) is None


def test_siblings_that_are_left_are_yielded_again() -> None:
    one = walk("abc")
    assert take(one.begin(), 2) == "ab"
    assert names(one.advance(failure())) == "c"


def test_children_come_before_the_siblings_that_are_left() -> None:
    one = walk("ab")
    assert take(one.begin()) == "a"
    step = one.advance(tasks("xy"))
    assert take(step) == "x"
    assert names(one.advance(tasks("12"))) == "12"
    assert names(one.advance(None)) == "y"
    assert names(one.advance(None)) == "b"
    assert one.advance(None) is None


def test_no_children_are_as_good_as_none() -> None:
    one = walk("ab")
    take(one.begin())
    assert names(one.advance(())) == "b"


def test_the_count_is_right_at_any_moment() -> None:
    one = walk("abc")
    step: Any = one.begin()
    counts = [one.count]
    for reply in (None, tasks("xy"), None, failure(), None):
        take(step)
        counts.append(one.count)
        step = step if reply is None else one.advance(reply)
    step = one.advance(None)
    assert counts == [0, 1, 2, 3, 4, 5]
    assert step is None


# -- errors


def test_an_error_is_recorded_with_its_place() -> None:
    one = walk("ab")
    take(one.begin(), 2)
    step = one.advance(tasks("xyz"))
    take(step, 3)
    one.advance(failure(error := OSError("down")))
    (record,) = one.records
    assert (record.path.positions, str(record.path), record.exception) == ((1, 2), "b[1]/z[2]", error)
    assert record.path.name == "z"


def test_siblings_in_trouble_share_their_parents_path() -> None:
    one = walk("a")
    take(one.begin())
    step = one.advance(tasks("xy"))
    take(step)
    take(one.advance(failure()))
    one.advance(failure())
    first, second = one.records
    assert first.path.parent is second.path.parent


def test_one_error_too_many_ends_it() -> None:
    one = walk("abc", errors=1, errors_to_tolerate=2)
    take(one.begin())
    assert one.errors_left == 1
    take(one.advance(failure()))
    assert one.errors_left == 0
    assert one.advance(failure()) is None
    assert isinstance(one.failure, ToleranceExceeded)
    assert (one.errors, one.errors_left) == (2, 0)


def test_without_a_budget_there_is_none_left() -> None:
    assert walk("a", errors_to_tolerate=None).errors_left is None


def test_a_fatal_error_ends_it() -> None:
    one = walk("abc", errors_to_tolerate=None)
    take(one.begin())
    assert one.advance(failure(fatal := FatalError("no"))) is None
    assert one.failure is fatal


def test_only_the_last_thousand_errors_are_kept() -> None:
    one = walk("a" * 1_500, errors_to_tolerate=None)
    step: Any = one.begin()
    while step is not None:
        take(step)
        step = one.advance(failure())
    assert (one.errors, len(one.records), one.records[0].path.position) == (1_500, 1_000, 500)


def test_an_exception_that_cannot_say_what_it_is_harms_nothing() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    one = walk("a", errors_to_tolerate=0)
    take(one.begin())
    one.advance(failure(Mute()))
    assert str(one.failure) == "1 errors, 0 tolerated; the last: Mute: (its message cannot be shown)"


# -- a stop


def test_a_stop_in_the_midst_of_siblings_ends_it() -> None:
    stop = Stop()
    one = walk("abc", stop=stop)
    take(one.begin())
    stop.request()
    assert one.advance(None) is None


def test_a_stop_before_it_begins_leaves_nothing_to_do() -> None:
    stop = Stop()
    stop.request()
    assert walk("abc", stop=stop).begin() is None


def test_whatever_expires_is_stopped_too() -> None:
    stop = Stop()
    stop.expire()
    assert stop.requested


# -- somebody listens


def test_a_listener_is_told_of_each_task_so_they_come_one_by_one() -> None:
    events: list[Event] = []
    one = walk("ab", notify=events.append, errors_to_tolerate=3)
    assert names(one.begin()) == "a"
    assert names(one.advance(tasks("x"))) == "x"
    assert names(one.advance(None)) == "b"
    assert one.advance(failure()) is None
    assert [(type(event), str(event.path)) for event in events if not isinstance(event, str)] == [  # type: ignore[union-attr]
        (TaskStarted, "a[0]"),
        (TaskFinished, "a[0]"),
        (TaskStarted, "a[0]/x[0]"),
        (TaskFinished, "a[0]/x[0]"),
        (TaskStarted, "b[1]"),
        (TaskFailed, "b[1]"),
    ]


# -- several at a time


def start(one: Walk, step: Any) -> tuple[str, Any]:
    """The name and the place of what starts; the walk is left waiting."""
    name, place = names(step), one.place
    assert one.advance(RUNNING) is WAIT
    return name, place


def test_it_gives_one_task_after_another_until_so_many_run() -> None:
    one = walk("abc", parallelism=2)
    assert start(one, one.begin())[0] == "a"
    assert start(one, one.advance(None))[0] == "b"
    assert not one.ready
    assert one.advance(None) is WAIT


def test_a_task_that_ends_makes_room_for_the_next() -> None:
    one = walk("abc", parallelism=2)
    _, a = start(one, one.begin())
    _, b = start(one, one.advance(None))
    name, c = start(one, one.advance(AttemptEnded(b, None)))
    assert name == "c"
    assert one.advance(AttemptEnded(a, None)) is WAIT
    assert one.advance(AttemptEnded(c, None)) is None


def test_the_children_of_whichever_ends_first_go_first() -> None:
    one = walk("abc", parallelism=2)
    start(one, one.begin())
    _, b = start(one, one.advance(None))
    name, child = start(one, one.advance(AttemptEnded(b, tasks("xy"))))
    assert name == "x"
    assert str(child.path) == "b[1]/x[0]"
    assert start(one, one.advance(AttemptEnded(child, None)))[0] == "y"


def test_after_a_failure_it_waits_for_those_that_run_and_ends() -> None:
    one = walk("abcd", parallelism=3, errors_to_tolerate=0)
    _, a = start(one, one.begin())
    _, b = start(one, one.advance(None))
    _, c = start(one, one.advance(None))
    assert one.advance(AttemptEnded(b, failure())) is WAIT
    assert one.advance(None) is WAIT
    assert one.advance(AttemptEnded(a, tasks("x"))) is WAIT
    assert one.advance(AttemptEnded(c, failure())) is None
    assert (one.errors, one.count) == (2, 3)


def test_a_fatal_error_outranks_a_spent_budget_but_not_another_fatal_error() -> None:
    first, second = FatalError("first"), FatalError("second")
    one = walk("abc", parallelism=3, errors_to_tolerate=0)
    places = [start(one, one.begin() if number == 0 else one.advance(None))[1] for number in range(3)]
    for place, error in zip(places, (OSError("down"), first, second), strict=True):
        one.advance(AttemptEnded(place, failure(error)))
    assert one.failure is first


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_path_is_one_object_however_often_it_is_asked_for(parallelism: int) -> None:
    one = walk("a", parallelism=parallelism, notify=lambda _: None)
    one.begin()
    assert one.place.path is one.place.path
