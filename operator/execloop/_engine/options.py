"""How an execution behaves, as one frozen value that is checked when it is made.

`executor` and `run` read it; the operator makes one from each spec.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Options", "seconds"]


def seconds(name: str, value: object, *, zero: bool, none: str = "") -> float:
    """Return a time in seconds; raise TypeError or ValueError that names it and the accepted form."""
    least = ">= 0" if zero else "> 0"
    accepted = f"{name} must be a number of seconds {least} or a timedelta{none}"
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{accepted}, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise ValueError(f"{accepted}, not {value!r}")
    return number


def _whole(name: str, value: object, least: int, none: str = "") -> int:
    accepted = f"{name} must be a whole number >= {least}{none}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{accepted}, not {value!r}")
    if value < least:
        raise ValueError(f"{accepted}, not {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class Options:
    """How an execution behaves. Times are kept as seconds.

    Args:
        sleep_between_runs: Seconds, or a `timedelta`.
        errors_to_tolerate: How many errors the execution survives; None for any number.
        execution_timeout: Seconds, or a `timedelta`, for all runs together; None for no limit.
        parallelism: How many tasks may run at one moment.

    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is out of its range. Both name it and the accepted form.

    >>> Options(execution_timeout=timedelta(minutes=5)).timeout
    300.0

    """

    sleep_between_runs: float | timedelta = 1.0
    errors_to_tolerate: int | None = 5
    execution_timeout: float | timedelta | None = 1200.0
    parallelism: int = 1

    def __post_init__(self) -> None:
        sleep = seconds("sleep_between_runs", self.sleep_between_runs, zero=True)
        object.__setattr__(self, "sleep_between_runs", sleep)
        if self.errors_to_tolerate is not None:
            _whole("errors_to_tolerate", self.errors_to_tolerate, 0, ", or None for no limit")
        if self.execution_timeout is not None:
            timeout = seconds("execution_timeout", self.execution_timeout, zero=False, none=", or None for no limit")
            object.__setattr__(self, "execution_timeout", timeout)
        _whole("parallelism", self.parallelism, 1)

    @property
    def sleep(self) -> float:
        """`sleep_between_runs` in seconds."""
        assert isinstance(self.sleep_between_runs, float)
        return self.sleep_between_runs

    @property
    def timeout(self) -> float | None:
        """`execution_timeout` in seconds."""
        assert not isinstance(self.execution_timeout, timedelta)
        return self.execution_timeout

    def tolerates(self, errors: int) -> bool:
        """Whether an execution survives so many errors."""
        return self.errors_to_tolerate is None or errors <= self.errors_to_tolerate
