"""`${name}` in the texts of parameters: values from a Secret, and fields of an object that was found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["filled", "filled_url", "names"]

_NULL = "${null}"
"""A text that is nothing else is null: `kubectl apply` drops a plain null from a Plan."""
_PLACE = re.compile(r"\$\{([A-Za-z_][\w.-]*)\}")


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """Return a copy in which each `${name}` that has a value is replaced by it, and a text `${null}` by null.

    >>> filled({"key": "${key}", "note": "${null}"}, {"key": "s3cret"})
    {'key': 's3cret', 'note': None}

    """
    if isinstance(value, dict):
        return {key: filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, values) for item in value]
    if value == _NULL and "null" not in values:
        return None
    if isinstance(value, str):
        return _PLACE.sub(lambda found: values.get(found[1], found[0]), value)
    return value


def filled_url(url: str, values: Mapping[str, str]) -> str:
    """Do the same with a URL: a value is one part of a path or of a query, whatever it holds."""
    return _PLACE.sub(lambda found: quote(values[found[1]], safe="") if found[1] in values else found[0], url)


def names(value: Any) -> Iterator[str]:
    """Yield the names that the texts of a value refer to."""
    if isinstance(value, dict):
        for item in value.values():
            yield from names(item)
    elif isinstance(value, list):
        for item in value:
            yield from names(item)
    elif isinstance(value, str):
        yield from _PLACE.findall(value)
