"""A field of a model that holds an expression: it is compiled, and its types are checked, with the parameters."""

from __future__ import annotations

from pydantic import AfterValidator

from execloop.library.cel.expression import compile_expression

__all__ = ["compiles"]


def compiles(*variables: str, result: type | None = None) -> AfterValidator:
    """Return the validator of a text that must be an expression over these variables.

    >>> from typing import Annotated
    >>> from pydantic import TypeAdapter
    >>> TypeAdapter(Annotated[str, compiles("object", result=bool)]).validate_python("object.ready == true")
    'object.ready == true'

    """

    def check(text: str) -> str:
        compile_expression(text, variables, result)
        return text

    return AfterValidator(check)
