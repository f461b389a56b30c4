"""One CEL expression of a resource: `compile_expression` checks it, `Expression.evaluate` gives its value."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from execloop.library.cel.estimate import MOST_WORK, work
from execloop.library.cel.functions import declarations
from execloop.library.cel.syntax import Syntax
from execloop.library.cel.values import measure, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["LONGEST_EXPRESSION", "CelError", "Expression", "MissingKey", "compile_expression"]

LONGEST_EXPRESSION = 4096
"""Characters."""
_LONGEST_CAUSE = 300
_NOT_FOUND = "NOT_FOUND: "
"""The status code of cel-cpp for a key that a mapping does not have."""
_PLACE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_CODE = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
_NAMES = {"BOOL": "true or false", "INT": "an integer", "STRING": "text", "LIST": "a list", "MAP": "a mapping"}
_RESULTS = {bool: "BOOL", int: "INT", str: "STRING", list: "LIST", dict: "MAP"}


class CelError(ValueError):
    """An expression that cannot be compiled, or that gives no value. The message has the place and the cause."""


class MissingKey(CelError):
    """An expression reads a key that its mapping does not have, so it has no value yet."""


class Expression:
    """A compiled expression. Make one with `compile_expression`."""

    __slots__ = ("_compiled", "_result", "_syntax", "_used", "text", "variables")

    def __init__(self, text: str, variables: frozenset[str], compiled: Any, result: type | None) -> None:
        self.text, self.variables = text, variables
        self._compiled, self._result = compiled, result
        self._syntax = Syntax.of(compiled.serialize())
        self._used = frozenset(self._syntax.names()) & variables

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the value for these variables, as JSON has it.

        Args:
            values: A JSON value for each declared variable.

        Raises:
            MissingKey: It reads a key that a mapping does not have.
            CelError: A value is missing, is none of JSON's or is too large; or the expression gives an error, another
                type than was asked for, or would take too much work.

        """
        if missing := sorted(self.variables - values.keys()):
            raise CelError(f"{_quote(self.text)} needs a value for {', '.join(missing)}")
        given = {name: values[name] for name in self._used}  # the others are neither measured nor converted
        try:
            size = measure(given)
        except ValueError as error:
            raise CelError(f"{_quote(self.text)} cannot be evaluated: {error}") from None
        if (needed := work(self._syntax, size)) > MOST_WORK:
            raise CelError(
                f"{_quote(self.text)} could need {needed // 2**20} MiB for a list of {size.length} and a text of "
                f"{size.text} bytes: at most {MOST_WORK // 2**20} MiB. Nest fewer loops, or give it less"
            )
        return self._evaluate(given)

    def _evaluate(self, given: dict[str, Any]) -> Any:
        try:
            value = self._compiled.eval(data=given)
            kind = value.type().name()
            plain = value.plain_value()
        except RuntimeError as error:  # an exhausted iteration budget
            raise CelError(f"{_quote(self.text)} gives no value: {_plain(str(error))}") from None
        if kind == "ERROR":
            missing = str(plain).startswith(_NOT_FOUND)
            raise (MissingKey if missing else CelError)(f"{_quote(self.text)} gives no value: {_plain(str(plain))}")
        if self._result is not None and kind.partition("<")[0] != _RESULTS[self._result]:
            raise CelError(
                f"{_quote(self.text)} must give {_NAMES[_RESULTS[self._result]]}, "
                f"but gave a value of type {kind.lower()}"
            )
        try:
            return to_json(plain)
        except ValueError as error:
            raise CelError(f"{_quote(self.text)}: {error}") from None


def compile_expression(text: str, variables: Iterable[str], result: type | None = None) -> Expression:
    """Compile an expression and check its types.

    Args:
        text: The expression, at most 4096 characters.
        variables: The names that it may use. Each holds any JSON value.
        result: `bool`, `int`, `str`, `list` or `dict`, when the value must be of that type.

    Raises:
        CelError: The expression is too long, is not CEL, uses another name, or can never give that type; or the
            extra `cel` is not installed. The message has the line and the column.

    >>> compile_expression("object.replicas > 1", ["object"], bool).evaluate({"object": {"replicas": 3}})
    True

    """
    if len(text) > LONGEST_EXPRESSION:
        raise CelError(f"the expression has {len(text)} characters: at most {LONGEST_EXPRESSION}")
    return _compile(text, frozenset(variables), result)


@lru_cache(maxsize=512)
def _compile(text: str, names: frozenset[str], result: type | None) -> Expression:
    try:
        compiled = _environment(names).compile(_encodable(text))
    except RuntimeError as error:
        raise CelError(_misfit(text, str(error))) from None
    kind = compiled.return_type().name().partition("<")[0]
    if result is not None and kind not in {_RESULTS[result], "DYN"}:
        raise CelError(f"{_quote(text)} gives a value of type {kind.lower()}: it must give {_NAMES[_RESULTS[result]]}")
    return Expression(text, names, compiled, result)


@lru_cache(maxsize=64)
def _environment(names: frozenset[str]) -> Any:
    try:
        from cel_expr_python import cel  # noqa: PLC0415 - an extra, needed only where a resource has an expression
        from cel_expr_python.ext import ext_math, ext_optional  # noqa: PLC0415
    except ImportError:
        raise CelError(
            "this needs cel-expr-python, which is not installed: pip install 'execloop[cel]' "
            "(it exists for Linux, macOS and Windows on x86-64 and ARM)"
        ) from None
    return cel.NewEnv(
        variables=dict.fromkeys(sorted(names), cel.Type.DYN),
        extensions=[ext_optional.ExtOptional(), ext_math.ExtMath()],
        functions=declarations(cel),
    )


def _encodable(text: str) -> str:
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise CelError("the expression has a character that is not text (a null, or half of a surrogate pair)")
    return text


def _misfit(text: str, message: str) -> str:
    found = _PLACE.search(message)
    if found is None or int(found[1]) < 1:
        return f"{_quote(text)} is not a valid expression: {_plain(found[3] if found else message)}"
    return f"{_quote(text)} is not a valid expression, at line {found[1]}, column {found[2]}: {_plain(found[3])}"


def _plain(message: str) -> str:
    said = _CODE.sub("", _CODE.sub("", message.partition("\n")[0])).strip()
    said = said.partition(" expecting {")[0].replace(" (in container '')", "")
    return said[:_LONGEST_CAUSE] or "unknown cause"


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return f"`{line if len(line) <= 80 else line[:77] + '…'}`"  # noqa: PLR2004 - the width of a line
