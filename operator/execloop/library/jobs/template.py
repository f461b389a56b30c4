"""`${{ … }}` in the texts of a pod template: CEL expressions over the item and the results of earlier steps."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from execloop.library.cel.expression import compile_expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["check_template", "rendered"]

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_DEEPEST = 50


def check_template(template: Any, variables: Iterable[str], depth: int = 0) -> None:
    """Compile the expressions of a template. Raises ValueError with the first that is wrong."""
    if depth > _DEEPEST:
        raise ValueError(f"is nested deeper than {_DEEPEST}")
    if isinstance(template, str):
        for found in _EXPRESSION.finditer(template):
            compile_expression(found[1].strip(), variables)
    elif isinstance(template, dict | list):
        for member in template.values() if isinstance(template, dict) else template:
            check_template(member, variables, depth + 1)


def rendered(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a copy with each expression replaced by its value as text; a list or a mapping becomes JSON.

    Raises:
        CelError: An expression gives no value.

    """
    if isinstance(template, dict):
        return {key: rendered(member, values) for key, member in template.items()}
    if isinstance(template, list):
        return [rendered(member, values) for member in template]
    if isinstance(template, str) and "${{" in template:
        return _EXPRESSION.sub(lambda found: _text(found[1], values), template)
    return template


def _text(expression: str, values: Mapping[str, Any]) -> str:
    value = compile_expression(expression.strip(), values).evaluate(values)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
