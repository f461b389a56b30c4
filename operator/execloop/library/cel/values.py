"""What an expression is given and what it gives: JSON values, measured and bounded."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Size", "measure", "to_json"]

LARGEST_INPUT = 2 * 2**20
MOST_VALUES = 100_000
DEEPEST = 64
_INTEGERS = range(-(2**63), 2**63)


class Size(NamedTuple):
    """How large the values of an evaluation are."""

    text: int
    """Bytes of the longest text."""
    length: int
    """Members of the longest list or mapping."""
    values: int
    """How many values there are, nested ones included."""


def measure(given: dict[str, Any]) -> Size:
    """Return how large these values are. Raises ValueError for what is not a JSON value, or too much."""
    longest, length, count, total = 0, 0, 0, 0
    pending: list[tuple[Any, int]] = [(value, 1) for value in given.values()]
    while pending:
        value, depth = pending.pop()
        count += 1
        if isinstance(value, str):
            size = len(value.encode("utf-8", "surrogatepass"))
            total, longest = total + size, max(longest, size)
            _check_text(value)
        elif isinstance(value, dict | list):
            members = [*value, *value.values()] if isinstance(value, dict) else value
            if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
                raise ValueError("a mapping has a key that is not text")
            if depth >= DEEPEST:
                raise ValueError(f"the values are nested deeper than {DEEPEST}")
            length = max(length, len(value))
            pending.extend((member, depth + 1) for member in members)
        else:
            _check_scalar(value)
        if count + len(pending) > MOST_VALUES or total > LARGEST_INPUT:
            raise ValueError(f"it is given too much: at most {MOST_VALUES} values, and {LARGEST_INPUT // 2**20} MiB")
    return Size(longest, length, count)


def _check_text(value: str) -> None:
    if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        raise ValueError("a text has half of a surrogate pair")


def _check_scalar(value: object) -> None:
    if isinstance(value, bool | float) or value is None:
        return
    if not isinstance(value, int):
        raise ValueError(f"a value of type {type(value).__name__} is none of JSON's")  # noqa: TRY004 - of a resource
    if value not in _INTEGERS:
        raise ValueError("an integer has more than 64 bits")


def to_json(value: Any) -> Any:
    """Return what an expression gave. Raises ValueError for what JSON has no value for."""
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    if isinstance(value, list):
        return [to_json(member) for member in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: to_json(member) for key, member in value.items()}
    raise ValueError(f"it gives a {type(value).__name__}, which JSON does not have: convert it with string()")
