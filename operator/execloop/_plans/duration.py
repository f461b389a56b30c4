"""Durations as Kubernetes resources write them: Go duration strings, such as `1h30m` or `500ms`. Standard library only.

Go's signs are left out (nothing here can last less than nothing), and so is its bare `0`: a unit is always said. Plans
use `Duration` for their parameters; the models of the Plan resource parse with the functions.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXAMPLES", "LONGEST", "MAX_LENGTH", "PATTERN", "Duration", "format_duration", "parse_duration"]

# U+00B5 (micro sign) and U+03BC (Greek mu) both, as Go has it.
_NANOSECONDS: Mapping[str, int] = MappingProxyType(
    {"ns": 1, "us": 10**3, "µs": 10**3, "\u03bcs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
)
_TERM = "([0-9]+(?:[.][0-9]*)?|[.][0-9]+)(ns|us|µs|\u03bcs|ms|s|m|h)"
PATTERN = "^(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|\u03bcs|ms|s|m|h))+$"
MAX_LENGTH = 32
LONGEST = 2**63 - 1
"""Nanoseconds: Go's int64."""
EXAMPLES = "such as 90s, 10m or 1h30m"
_WELL_FORMED = re.compile(PATTERN)


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> float:
    """Return the seconds of a Go duration string; a ValueError says what is accepted, without repeating the text."""
    return _nanoseconds(text) / 10**9


def _nanoseconds(text: str) -> int:
    if len(text) > MAX_LENGTH or not _WELL_FORMED.fullmatch(text):
        raise ValueError(f"should be a duration {EXAMPLES}: numbers with a unit (ns, us, ms, s, m, h), without a sign")
    nanoseconds = sum(int(Fraction(number) * _NANOSECONDS[unit]) for number, unit in re.findall(_TERM, text))
    if nanoseconds > LONGEST:
        raise ValueError("should be a duration of at most 2562047h")
    return nanoseconds


@lru_cache(maxsize=4096)
def format_duration(seconds: float) -> str:
    """Return the shortest usual form: `10m`, `1h30m`, `1.5s`, `500ms`; precise to the nanosecond."""
    nanoseconds = min(round(Fraction(seconds) * 10**9), LONGEST)
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 10**9:
        unit = next(unit for unit in ("ms", "us", "ns") if nanoseconds >= _NANOSECONDS[unit])
        return _decimal(nanoseconds, _NANOSECONDS[unit]) + unit
    minutes, rest = divmod(nanoseconds, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    terms = (
        f"{hours}h" if hours else "",
        f"{minutes}m" if minutes else "",
        _decimal(rest, 10**9) + "s" if rest else "",
    )
    return "".join(terms)


def _decimal(amount: int, unit: int) -> str:
    whole, fraction = divmod(amount, unit)
    digits = str(fraction).zfill(len(str(unit)) - 1).rstrip("0")
    return f"{whole}.{digits}" if fraction else str(whole)


class Duration(timedelta):
    """A `timedelta` that is written as a Go duration, as the fields of a Plan's `spec` are: `720h`, `1h30m`, `500ms`.

    Use it as the type of a parameter: text with a unit is accepted, a bare number is not. Precise to the microsecond.

    Args:
        value: Text, or a `timedelta` that is not negative.

    Raises:
        TypeError: The value is neither.
        ValueError: The text is not a duration, or the `timedelta` is negative.

    >>> Duration("720h").days, str(Duration("90m"))
    (30, '1h30m')

    """

    __slots__ = ()

    def __new__(cls, value: str | timedelta) -> Self:
        if isinstance(value, str):
            return super().__new__(cls, microseconds=_nanoseconds(value) // 1000)
        if not isinstance(value, timedelta):
            raise TypeError(f"should be a duration {EXAMPLES}, or a timedelta")
        if value < timedelta():
            raise ValueError("should be a duration that is not negative")
        return super().__new__(cls, value.days, value.seconds, value.microseconds)

    def __str__(self) -> str:
        return format_duration(self // timedelta(microseconds=1) / 10**6)

    def __repr__(self) -> str:
        return f"Duration({str(self)!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[timedelta]]:
        return type(self), (timedelta(self.days, self.seconds, self.microseconds),)

    @classmethod
    def _validate(cls, value: Any) -> Self:
        try:
            return cls(value)
        except TypeError as error:
            raise ValueError(str(error)) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return how Pydantic reads and writes one."""
        from pydantic_core import core_schema  # noqa: PLC0415 - Pydantic itself asks, so it is installed

        written = core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        return core_schema.no_info_plain_validator_function(cls._validate, serialization=written)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": PATTERN, "maxLength": MAX_LENGTH}
