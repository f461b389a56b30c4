"""The parameters of a part, checked against its plan's model, with the place of what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from execloop._engine.errors import InvalidParameters
from execloop.library.cel.template import expressions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from execloop._engine.errors import ParameterProblem
    from execloop._plans.definition import Definition

__all__ = ["check_part", "misplaced"]

_OF_NAMES = {"extra_forbidden", "missing"}
"""Rules that no value of an expression keeps."""


def check_part(definition: Definition, given: Mapping[str, Any]) -> None:
    """Check parameters that may have `${{ … }}` in their texts; what such a text stands for is not known yet.

    Raises:
        ValidationError: A parameter is wrong, whatever the expressions give.

    """
    try:
        definition.parse(dict(given))
    except InvalidParameters as error:
        known = [each for each in error.problems if each.rule in _OF_NAMES or not _is_open(given, each.location)]
        if known:
            raise misplaced(definition.name, known) from None


def misplaced(title: str, problems: Iterable[ParameterProblem]) -> ValidationError:
    """Return the error of a validator that names places within what it was given."""
    return ValidationError.from_exception_data(
        title,
        [
            InitErrorDetails(
                type=PydanticCustomError(each.rule or "part", "{said}", {"said": each.message}),
                loc=each.location,
                input=None,
            )
            for each in problems
        ],
    )


def _is_open(given: Any, location: tuple[int | str, ...]) -> bool:
    """Return whether an expression stands at a place, or within it: then what is there is known later."""
    for step in location:  # a step may also name a member of a union, which is not a place
        listed = isinstance(given, list) and isinstance(step, int) and step < len(given)
        if listed or (isinstance(given, dict) and step in given):
            given = given[step]
    return bool(location) and any(True for _ in expressions(given))
