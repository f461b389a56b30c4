"""What the expressions of a step may name, and which objects and probes they read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from execloop.library.cel.template import check_template, expressions

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ITEMS", "PLACES", "VARIABLES", "all_expressions", "check_texts", "reads"]

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
