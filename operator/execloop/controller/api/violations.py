"""What a failed validation says to the user: where and which rule, never the value, which may be a Secret's."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from execloop._engine.errors import ParameterProblem
from execloop.controller.api.model import BROKEN_RULE

__all__ = ["describe", "describe_closed"]

_SHOWN = 10
# A validator of a plan's author may quote the value, and so does pydantic for the tag of a union.
_QUOTES_NOTHING = {BROKEN_RULE, *get_args(ErrorType)} - {"assertion_error", "union_tag_invalid", "value_error"}
# Their words are the model's; others may quote the value, a part of it, or its length.
_SAYS_THE_RULE = {
    "bool_parsing", "bool_type", "bytes_type", "decimal_parsing", "decimal_type", "dict_type", "enum",
 "finite_number", "float_parsing", "float_type", "frozen_field", "greater_than",
    "greater_than_equal", "int_from_float", "int_parsing", "int_type", "less_than", "less_than_equal",
    "list_type", "literal_error", "missing", "model_type", "multiple_of", "none_required", "set_type",
    "string_pattern_mismatch", "string_too_long", "string_too_short", "string_type", "tuple_type", "url_type",
    "uuid_type",
}  # fmt: skip


def describe(error: ValidationError, prefix: str = "spec") -> str:
    """`spec.interval: …; spec.dependsOn[0].name: …`, at most ten of them."""
    errors = error.errors(include_url=False, include_context=False)
    parts = [f"{_path(prefix, details['loc'])}: {_rule(details)}" for details in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        parts.append(f"and {len(errors) - _SHOWN} more")
    return "; ".join(parts)


def describe_closed(problems: Iterable[ParameterProblem], names: frozenset[str]) -> str:
    """As `describe`, for parameters that must stay secret: it names these fields, and no others."""
    found: dict[str, None] = {}
    for problem in problems:
        path = _path("parameters", tuple(s if isinstance(s, int) or s in names else "…" for s in problem.location))
        found[f"{path}: {_closed_rule(problem)}"] = None
    shown = [*found][:_SHOWN]
    return "; ".join(shown if len(found) <= _SHOWN else [*shown, f"and {len(found) - _SHOWN} more"])


def _closed_rule(problem: ParameterProblem) -> str:
    if problem.rule == "extra_forbidden":
        return "there is no such parameter"
    return problem.message if problem.rule in _SAYS_THE_RULE else "does not fit"


def _path(prefix: str, location: tuple[int | str, ...]) -> str:
    return prefix + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


def _rule(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if error["type"] in _QUOTES_NOTHING:
        return message
    for value in sorted(set(_leaves(error["input"])), key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", message)
    return message


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif not isinstance(value, bool) and value not in (None, ""):
        yield str(value)
