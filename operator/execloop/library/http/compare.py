"""Whether an object is as expected: what the server adds to it is not drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["at", "differences", "merged", "named"]

_SHOWN: Final = 3
_ABSENT: Final = object()


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each expected value that differs.

    A mapping may have further keys. A list has the expected items, in order and no others; `null` stands for a key that
    is missing, too.

    >>> list(differences({"size": 3, "tags": ["a"]}, {"id": 7, "size": 4, "tags": ["a", "b"]}))
    ['size', 'tags']

    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            place = f"{path}.{key}" if path else str(key)
            found = actual.get(key, _ABSENT)
            if found is _ABSENT:
                if value is not None:
                    yield place
            else:
                yield from differences(value, found, place)
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (value, found) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(value, found, f"{path}[{index}]")
    elif not _equal(expected, actual):
        yield path or "the answer"


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def named(paths: list[str]) -> str:
    """Return the first of some paths, and how many more there are."""
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more


def merged(actual: Any, expected: Any) -> Any:
    """Return an object with the expected values in it, for a server that takes whole objects only."""
    if not (isinstance(actual, dict) and isinstance(expected, dict)):
        return expected
    return {**actual, **{key: merged(actual.get(key), value) for key, value in expected.items()}}


def at(value: Any, path: str) -> Any:
    """Return what stands at a path such as `data.items`; None when nothing does. The empty path is the value itself.

    >>> at({"data": {"items": [1]}}, "data.items")
    [1]

    """
    for step in filter(None, path.split(".")):
        if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value
