"""What quantities and versions have in common: they are compared."""

from __future__ import annotations

from typing import Any, Final

from execloop.library.cel.functions import quantities, versions
from execloop.library.cel.functions.declaration import Function, method

__all__ = ["FUNCTIONS"]


def _compare(value: Any, other: Any) -> int:
    key: Any = versions.precedence if versions.KIND in value else quantities.amount
    one, two = key(value), key(other)
    return int(one > two) - int(one < two)


FUNCTIONS: Final[tuple[Function, ...]] = (
    method("isLessThan", lambda value, other: _compare(value, other) < 0, "BOOL", "MAP"),
    method("isGreaterThan", lambda value, other: _compare(value, other) > 0, "BOOL", "MAP"),
    method("compareTo", _compare, "INT", "MAP"),
)
