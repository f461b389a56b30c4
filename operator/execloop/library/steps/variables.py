"""What the expressions of a step may name, and which objects and probes they read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from execloop.library.cel.template import check_template, expressions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ITEMS", "PLACES", "VARIABLES", "all_expressions", "check_texts", "needed", "reads"]

VARIABLES = ("objects", "probes", "values", "secrets", "item", "index", "plan", "now")
PLACES = ("values", "secrets", "item", "index", "plan", "now")
"""Of what says which object to read: it cannot depend on another."""
ITEMS = ("objects", "probes", "values", "plan", "now")
"""Of `forEach`."""


def check_texts(template: Any) -> Any:
    """Compile the `${{ … }}` of all texts. Raises ValueError."""
    check_template(template, VARIABLES)
    return template


def all_expressions(*parts: Any) -> list[str]:
    """Return the expressions of texts with `${{ … }}`, nested as they may be."""
    return [text for part in parts for text in expressions(part)]


def reads(variable: str, texts: Iterable[str]) -> frozenset[str]:
    """Return the members of a variable that expressions read: `objects.web`, `objects['web']`.

    >>> sorted(reads("objects", ["has(objects.web) && objects['db'].data == 1"]))
    ['db', 'web']
    """
    member = re.compile(rf"(?<![.\w]){variable}\s*(?:\.\s*\??\s*([A-Za-z_]\w*)|\[\s*\??\s*['\"]([^'\"]*)['\"]\s*\])")
    return frozenset(found[1] or found[2] for text in texts for found in member.finditer(text))


def needed(variable: str, texts: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that expressions read, or all where one reads them by another way than by name.

    >>> needed("values", ["values.a == 1"], {"a": 1, "large": [0] * 1000})
    {'a': 1}
    """
    every = list(texts)
    otherwise = re.compile(rf"(?<![.\w]){variable}\b(?!\s*(?:\.\s*\??\s*[A-Za-z_]\w*+(?!\s*\()|\[\s*\??\s*['\"]))")
    if any(otherwise.search(text) for text in every):
        return dict(given)
    names = reads(variable, every)
    return {name: value for name, value in given.items() if name in names}
