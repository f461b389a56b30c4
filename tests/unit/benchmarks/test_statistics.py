"""The percentile by nearest rank, and the exponent of a power."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.statistics import exponent, percentile


@pytest.mark.parametrize(("share", "found"), [(0, 1), (50, 50), (99, 99), (100, 100)])
def test_the_percentile_is_the_value_that_so_many_do_not_exceed(share: float, found: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], share) == found


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_the_percentile_is_one_of_the_values_and_enough_do_not_exceed_it(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share / 100 * len(values) - 1e-6


@given(st.floats(0.1, 3), st.floats(1e-6, 1e3))
def test_the_exponent_of_a_power_is_that_power(power: float, factor: float) -> None:
    sizes = [100, 1_000, 10_000]
    assert exponent(sizes, [factor * size**power for size in sizes]) == pytest.approx(power)
