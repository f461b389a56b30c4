import dataclasses
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from execloop import Options

SLEEP = r"sleep_between_runs must be a number of seconds >= 0 or a timedelta"
TIMEOUT = r"execution_timeout must be a number of seconds > 0 or a timedelta, or None for no limit"
ERRORS = r"errors_to_tolerate must be a whole number >= 0, or None for no limit"
PARALLELISM = r"parallelism must be a whole number >= 1"


def test_the_defaults() -> None:
    options = Options()
    assert (options.sleep, options.errors_to_tolerate, options.timeout, options.parallelism) == (1.0, 5, 1200.0, 1)


@pytest.mark.parametrize(
    ("given", "kept"), [(2, 2.0), (0.5, 0.5), (timedelta(minutes=1), 60.0), (timedelta(milliseconds=1), 0.001)]
)
def test_times_are_seconds_or_timedeltas_and_are_kept_as_seconds(given: Any, kept: float) -> None:
    options = Options(sleep_between_runs=given, execution_timeout=given)
    assert (options.sleep, options.timeout) == (kept, kept)
    assert options == Options(sleep_between_runs=kept, execution_timeout=kept)


def test_no_sleep_no_limit_and_no_timeout_can_be_asked_for() -> None:
    options = Options(sleep_between_runs=0, errors_to_tolerate=None, execution_timeout=None)
    assert (options.sleep, options.errors_to_tolerate, options.timeout) == (0.0, None, None)


@pytest.mark.parametrize(
    ("argument", "value", "error", "message"),
    [
        ("sleep_between_runs", -1, ValueError, f"{SLEEP}, not -1"),
        ("sleep_between_runs", timedelta(seconds=-1), ValueError, f"{SLEEP}, not -1.0"),
        ("sleep_between_runs", float("nan"), ValueError, f"{SLEEP}, not nan"),
        ("sleep_between_runs", float("inf"), ValueError, f"{SLEEP}, not inf"),
        ("sleep_between_runs", 10**400, ValueError, f"{SLEEP}, not 10"),
        ("sleep_between_runs", "1s", TypeError, f"{SLEEP}, not '1s'"),
        ("sleep_between_runs", None, TypeError, f"{SLEEP}, not None"),
        ("sleep_between_runs", True, TypeError, f"{SLEEP}, not True"),
        ("sleep_between_runs", Decimal(1), TypeError, rf"{SLEEP}, not Decimal\('1'\)"),
        ("execution_timeout", 0, ValueError, f"{TIMEOUT}, not 0"),
        ("execution_timeout", timedelta(0), ValueError, f"{TIMEOUT}, not 0.0"),
        ("execution_timeout", -1, ValueError, f"{TIMEOUT}, not -1"),
        ("execution_timeout", "20m", TypeError, f"{TIMEOUT}, not '20m'"),
        ("errors_to_tolerate", -1, ValueError, f"{ERRORS}, not -1"),
        ("errors_to_tolerate", 1.5, TypeError, f"{ERRORS}, not 1.5"),
        ("errors_to_tolerate", "3", TypeError, f"{ERRORS}, not '3'"),
        ("errors_to_tolerate", False, TypeError, f"{ERRORS}, not False"),
        ("parallelism", 0, ValueError, f"{PARALLELISM}, not 0"),
        ("parallelism", -2, ValueError, f"{PARALLELISM}, not -2"),
        ("parallelism", None, TypeError, f"{PARALLELISM}, not None"),
        ("parallelism", 2.0, TypeError, f"{PARALLELISM}, not 2.0"),
    ],
)
def test_bad_options_are_refused_with_the_argument_and_the_accepted_form(
    argument: str, value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Options(**{argument: value})


def test_replacing_one_option_checks_it_too() -> None:
    with pytest.raises(ValueError, match=PARALLELISM):
        dataclasses.replace(Options(), parallelism=0)


@pytest.mark.parametrize(
    ("budget", "errors", "survived"), [(3, 3, True), (3, 4, False), (0, 1, False), (None, 9, True)]
)
def test_the_budget_is_how_many_errors_an_execution_survives(budget: int | None, errors: int, survived: bool) -> None:
    assert Options(errors_to_tolerate=budget).tolerates(errors) is survived
