from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execloop.controller.timing import backoff, jittered, to_its_place
from execloop.kube.lease.ranges import range_of

UIDS = [str(UUID(int=number * 2**96 + 12345, version=4)) for number in range(10_000)]
INTERVALS = st.floats(1, 1e6)
NOW = st.floats(1.7e9, 1.9e9)


def least() -> float:
    return 0.0


def middle() -> float:
    return 0.5


def most() -> float:
    return 1.0


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (8, 128.0), (9, 256.0), (10, 300.0), (11, 300.0), (10_000, 300.0)],
)
def test_the_delay_doubles_with_each_failure_up_to_the_most(failures: int, seconds: float) -> None:
    assert backoff(1.0, 300.0, failures, middle) == seconds


@pytest.mark.parametrize(("chance", "factor"), [(least, 0.9), (middle, 1.0), (most, 1.1)])
def test_the_jitter_is_a_tenth_either_way(chance: object, factor: float) -> None:
    assert jittered(600.0, chance) == pytest.approx(600.0 * factor)  # type: ignore[arg-type]  # from a table


def test_the_longest_delay_is_spread_out_too() -> None:
    assert backoff(1.0, 300.0, 99, least) == pytest.approx(270.0)
    assert backoff(1.0, 300.0, 99, most) == pytest.approx(330.0)


@given(st.uuids(), INTERVALS, NOW)
def test_a_plan_is_at_its_place_within_an_interval_and_not_at_once(uid: UUID, interval: float, now: float) -> None:
    assert 0.1 * interval <= to_its_place(str(uid), interval, now) <= 1.1 * interval


@given(st.uuids(), INTERVALS, NOW)
def test_at_its_place_it_is_observed_at_each_interval(uid: UUID, interval: float, now: float) -> None:
    there = now + to_its_place(str(uid), interval, now)
    assert to_its_place(str(uid), interval, there) == pytest.approx(interval, abs=1e-3 * interval)


def test_plans_that_began_together_are_spread_over_the_whole_interval() -> None:
    tenths = Counter(int(10 * (to_its_place(uid, 600.0, 1.8e9) / 600.0 - 0.1)) for uid in UIDS)
    assert set(tenths) == set(range(10))
    assert all(900 < count < 1100 for count in tenths.values())


def test_so_are_those_of_one_range() -> None:
    ours = [uid for uid in UIDS if range_of(uid, 8) == 0]
    tenths = Counter(int(10 * (to_its_place(uid, 600.0, 1.8e9) / 600.0 - 0.1)) for uid in ours)
    assert all(80 < count < 180 for count in tenths.values())
    assert len(tenths) == 10
