"""Values in place of `${name}`, in every text of an object."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEEP", "Filler"]

KEEP: Final = "execloop.dev/substitute"
"""The annotation that leaves an object as it is, when its value is `disabled`."""

_MOST_CHARACTERS: Final = 4_000_000
_PLACE = re.compile(r"\$(\$\{)|\$\{([^}]*)\}")


class Filler:
    """Puts values in place in one object after another.

    A text that is nothing but one `${name}` becomes the value with its type. `$${` stands for `${`. What all values
    together come to is bounded, since a short text may name a long value many times.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values, self._left = values, _MOST_CHARACTERS

    def fill(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Return an object with the values in place; without any values nothing is looked for.

        Raises ValueError with the path of a name that has no value.
        """
        annotations = manifest["metadata"].get("annotations") or {}
        if not self._values or annotations.get(KEEP) == "disabled":
            return manifest
        filled: dict[str, Any] = self._filled(manifest, "")
        return filled

    def _filled(self, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(each, f"{path}.{key}" if path else str(key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each, f"{path}[{index}]") for index, each in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        only = _PLACE.fullmatch(value)
        if only and only[1] is None:
            return self._value(only[2], path)
        return _PLACE.sub(lambda found: "${" if found[1] else _text(self._value(found[2], path)), value)

    def _value(self, name: str, path: str) -> Any:
        if name not in self._values:
            raise ValueError(
                f"{path}: substitute has no {name!r}; add it, write $${{{name}}} to keep the text, or set the"
                f" annotation {KEEP}: disabled"
            )
        self._left -= len(_text(self._values[name]))
        if self._left < 0:
            raise ValueError(f"{path}: the values of substitute come to over {_MOST_CHARACTERS} characters")
        return self._values[name]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
