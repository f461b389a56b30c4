"""Values in place of `${name}`, in every text of an object."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEEP", "substituted"]

KEEP = "execloop.dev/substitute"
"""The annotation that leaves an object as it is, when its value is `disabled`."""

_PLACE = re.compile(r"\$(\$\{)|\$\{([^}]*)\}")


def substituted(manifest: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with the values in place; without any values nothing is looked for.

    A text that is nothing but one `${name}` becomes the value with its type. `$${` stands for `${`. Raises ValueError
    with the path of a name that has no value.
    """
    annotations = manifest["metadata"].get("annotations") or {}
    if not values or annotations.get(KEEP) == "disabled":
        return manifest
    replaced: dict[str, Any] = _replaced(manifest, values, "")
    return replaced


def _replaced(value: Any, values: Mapping[str, Any], path: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(each, values, f"{path}.{key}" if path else str(key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, values, f"{path}[{index}]") for index, each in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    only = _PLACE.fullmatch(value)
    if only and only[1] is None:
        return _value(only[2], values, path)
    return _PLACE.sub(lambda found: "${" if found[1] else _text(_value(found[2], values, path)), value)


def _value(name: str, values: Mapping[str, Any], path: str) -> Any:
    if name not in values:
        raise ValueError(
            f"{path}: substitute has no {name!r}; add it, write $${{{name}}} to keep the text, or set the annotation"
            f" {KEEP}: disabled"
        )
    return values[name]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
