import pytest

from execloop.controller.reconcile.progress import ProgressInterval
from execloop.testing import FakeClock

STARTED = 1_000_000.0


def gaps(age: float, count: int) -> list[float]:
    """Seconds between the writes of a run that begins when its execution is so old."""
    clock = FakeClock(STARTED + age)
    pace, found = ProgressInterval(STARTED, clock.now), []
    for _ in range(count):
        found.append(pace.next())
        clock.advance(found[-1])
    return found


def test_the_first_write_is_two_seconds_after_the_start_and_gaps_double_up_to_thirty() -> None:
    assert gaps(age=0, count=8) == [2, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(("age", "first"), [(0.5, 1.5), (1.999, 0.001), (2, 2), (600, 2), (-5, 2)])
def test_the_age_is_the_executions_not_the_runs(age: float, first: float) -> None:
    assert gaps(age, 1) == [pytest.approx(first)]


def test_its_numbers_are_those_of_the_api() -> None:
    assert (ProgressInterval.FIRST, ProgressInterval.LONGEST) == (2.0, 30.0)
