import pytest

from execloop.controller.timing import backoff, jittered


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
