"""`quantity('1.5Gi')`: amounts as Kubernetes writes them."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, Final

from execloop.library.cel.functions.declaration import Function, content, limited, method, of_text, wellformed

__all__ = ["FUNCTIONS", "KIND", "amount"]

KIND: Final = "quantity"
_TEXT = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE])([+-]?\d{1,2})|([KMGTPE]i|[numkMGTPE]?))", re.ASCII)
_MADE = re.compile(r"-?\d{1,30}(?:/[1-9]\d{0,9})?", re.ASCII)
_FINEST: Final = 10**9
_POWERS: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = "KMGTPE"
_LARGEST: Final = 2**63 - 1
_LONGEST: Final = 64


def quantity(text: str) -> dict[str, str]:
    """Return an amount; equal amounts are equal however they are written."""
    found = _TEXT.fullmatch(limited(text, _LONGEST, "a quantity"))
    if found is None:
        raise ValueError("this is not a quantity, such as 500m or 1.5Gi")
    number, exponent, power, suffix = found[1], found[2], found[3], found[4]
    if exponent:
        factor = Fraction(10) ** int(power)
    elif suffix.endswith("i"):
        factor = Fraction(1024) ** (_BINARY.index(suffix[0]) + 1)
    else:
        factor = Fraction(10) ** _POWERS[suffix]
    return _made(Fraction(number) * factor)


def _made(value: Fraction) -> dict[str, str]:
    if abs(value) > _LARGEST:
        raise ValueError("a quantity is at most 2^63 - 1")
    billionths = math.ceil(abs(value) * _FINEST)  # away from 0, as Kubernetes rounds
    return {KIND: str(Fraction(billionths if value > 0 else -billionths, _FINEST))}


def amount(value: Any) -> Fraction:
    """Return how much a quantity is."""
    if _MADE.fullmatch(text := content(value, KIND)) is None:
        raise ValueError("this needs what quantity() gives")
    return Fraction(text)


def _as_integer(value: Any) -> int:
    if (found := amount(value)).denominator != 1:
        raise ValueError("this quantity is not a whole number")
    return int(found)


def _plus(value: Any, other: Any, sign: int = 1) -> dict[str, str]:
    return _made(amount(value) + sign * (Fraction(other) if isinstance(other, int) else amount(other)))


def _minus(value: Any, other: Any) -> dict[str, str]:
    return _plus(value, other, -1)


FUNCTIONS: Final[tuple[Function, ...]] = (
    of_text("quantity", quantity),
    of_text("isQuantity", wellformed(quantity), "BOOL"),
    method("isInteger", lambda value: amount(value).denominator == 1, "BOOL"),
    method("asInteger", _as_integer, "INT"),
    method("asApproximateFloat", lambda value: float(amount(value)), "DOUBLE"),
    method("sign", lambda value: (amount(value) > 0) - (amount(value) < 0), "INT"),
    method("add", _plus, "MAP", "MAP"),
    method("add", _plus, "MAP", "INT"),
    method("sub", _minus, "MAP", "MAP"),
    method("sub", _minus, "MAP", "INT"),
)
