"""Durations as Kubernetes resources write them: Go duration strings, such as `1h30m` or `500ms`.

Go's signs are left out (nothing here can last less than nothing), and so is its bare `0`: a unit is always said.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

__all__ = ["Duration", "DurationBounds", "format_duration", "parse_duration"]

# U+00B5 (micro sign) and U+03BC (Greek mu) both, as Go has it.
_NANOSECONDS: Mapping[str, int] = MappingProxyType(
    {"ns": 1, "us": 10**3, "µs": 10**3, "\u03bcs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
)
_TERM = "([0-9]+(?:[.][0-9]*)?|[.][0-9]+)(ns|us|µs|\u03bcs|ms|s|m|h)"
PATTERN = "^(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|\u03bcs|ms|s|m|h))+$"
MAX_LENGTH = 32
_LONGEST = 2**63 - 1  # nanoseconds: Go's int64
_EXAMPLES = "such as 90s, 10m or 1h30m"
_WELL_FORMED = re.compile(PATTERN)


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> float:
    """Seconds of a Go duration string; a ValueError says what is accepted, without repeating the text."""
    if len(text) > MAX_LENGTH or not _WELL_FORMED.fullmatch(text):
        raise ValueError(f"should be a duration {_EXAMPLES}: numbers with a unit (ns, us, ms, s, m, h), without a sign")
    nanoseconds = sum(int(Fraction(number) * _NANOSECONDS[unit]) for number, unit in re.findall(_TERM, text))
    if nanoseconds > _LONGEST:
        raise ValueError("should be a duration of at most 2562047h")
    return nanoseconds / 10**9


def format_duration(seconds: float) -> str:
    """The shortest usual form: `10m`, `1h30m`, `1.5s`, `500ms`; precise to the nanosecond."""
    nanoseconds = min(round(Fraction(seconds) * 10**9), _LONGEST)
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


def _validate(value: Any) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LONGEST / 10**9:
        return float(value)
    raise ValueError(f"should be a duration {_EXAMPLES}")


@dataclass(frozen=True)
class DurationBounds:
    """Narrows `Duration` in an `Annotated`, for the model and (in CEL) for the API server alike."""

    at_least: str = "0s"
    or_zero: bool = False

    @property
    def message(self) -> str:
        if self.at_least == "0s":
            return f"should be a duration {_EXAMPLES}"
        zero = "0s, or " if self.or_zero else ""
        return f"should be {zero}a duration of at least {self.at_least}, {_EXAMPLES}"

    @property
    def cel(self) -> str:
        enough = f"duration(self) >= duration('{self.at_least}')"
        if self.or_zero:
            enough = f"(duration(self) == duration('0s') || {enough})"
        return f"self.matches('{PATTERN}') && {enough}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        least = parse_duration(self.at_least)

        def within(seconds: float) -> float:
            if seconds >= least or (self.or_zero and seconds == 0):
                return seconds
            raise ValueError(self.message)

        return core_schema.no_info_after_validator_function(within, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-validations": [{"rule": self.cel, "message": self.message}]}


Duration = Annotated[
    float,
    PlainValidator(_validate),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "maxLength": MAX_LENGTH}),
    DurationBounds(),
]
"""Seconds in Python (text or seconds are accepted), a Go duration string in JSON."""
