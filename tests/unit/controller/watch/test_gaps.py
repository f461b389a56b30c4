"""How soon the next change of an object is passed on."""

import pytest

from execloop.controller.watch.gaps import Gaps


def test_the_first_change_counts_at_once_and_each_thing_has_its_own_gap() -> None:
    gaps = Gaps()
    assert (gaps.wait("a", 0), gaps.wait("b", 0)) == (0, 0)


def test_the_next_waits_until_the_gap_is_over_and_covers_all_that_come_meanwhile() -> None:
    gaps = Gaps()
    gaps.wait("a", 0)
    assert [gaps.wait("a", 0.5), gaps.wait("a", 1), gaps.wait("a", 1.9)] == [1.5, None, None]


def test_gaps_double_up_to_two_minutes() -> None:
    gaps, now, waits = Gaps(), 0.0, []
    for _ in range(9):
        wait = gaps.wait("a", now)
        assert wait is not None
        waits.append(wait)
        now += wait
    assert waits == [0, 2, 4, 8, 16, 32, 64, 120, 120]


@pytest.mark.parametrize(("quiet", "least"), [(61, 4), (63, 2)])
def test_they_begin_anew_after_a_quiet_minute(quiet: float, least: float) -> None:
    gaps = Gaps()
    gaps.wait("a", 0)
    assert gaps.wait("a", quiet) == 0
    assert gaps.wait("a", quiet) == least


def test_what_is_over_takes_no_memory() -> None:
    gaps = Gaps()
    for number in range(10_000):
        gaps.wait(number, float(number))
    assert len(gaps._gaps) <= 1000
