"""Durations in the models of the Plan resource: seconds in Python, Go duration strings in JSON."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from execloop._plans.duration import EXAMPLES, LONGEST, MAX_LENGTH, PATTERN, format_duration, parse_duration

__all__ = ["PATTERN", "Duration", "DurationBounds", "format_duration", "parse_duration"]


def _validate(value: Any) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST / 10**9:
        return float(value)
    raise ValueError(f"should be a duration {EXAMPLES}")


@dataclass(frozen=True)
class DurationBounds:
    """Narrows `Duration` in an `Annotated`, for the model and (in CEL) for the API server alike."""

    at_least: str = "0s"
    or_zero: bool = False

    @property
    def message(self) -> str:
        if self.at_least == "0s":
            return f"should be a duration {EXAMPLES}"
        zero = "0s, or " if self.or_zero else ""
        return f"should be {zero}a duration of at least {self.at_least}, {EXAMPLES}"

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
