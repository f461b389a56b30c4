"""`${{ … }}` in the texts of a parameter: CEL expressions that a plan evaluates when it knows their values."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from execloop.library.cel.expression import compile_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["check_template", "expressions", "filled_in", "rendered"]

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


def expressions(template: Any) -> Iterator[str]:
    """Yield the expressions in the texts of a template."""
    if isinstance(template, str):
        yield from (found[1] for found in _EXPRESSION.finditer(template))
    elif isinstance(template, dict | list):
        for member in template.values() if isinstance(template, dict) else template:
            yield from expressions(member)


def rendered(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a copy with each expression replaced by its value as text; a list or a mapping becomes JSON.

    Raises:
        CelError: An expression gives no value.

    """
    return _replaced(template, lambda text: _EXPRESSION.sub(lambda found: _text(_value(found[1], values)), text))


def filled_in(template: Any, values: Mapping[str, Any]) -> Any:
    """Do the same, except that a text which is one expression and nothing else becomes its value, with its type."""

    def fill(text: str) -> Any:
        only = _EXPRESSION.fullmatch(text.strip())
        if only is not None and "${{" not in only[1]:
            return _value(only[1], values)
        return _EXPRESSION.sub(lambda found: _text(_value(found[1], values)), text)

    return _replaced(template, fill)


def _replaced(template: Any, replace: Callable[[str], Any]) -> Any:
    if isinstance(template, dict):
        return {key: _replaced(member, replace) for key, member in template.items()}
    if isinstance(template, list):
        return [_replaced(member, replace) for member in template]
    return replace(template) if isinstance(template, str) and "${{" in template else template


def _value(expression: str, values: Mapping[str, Any]) -> Any:
    return compile_expression(expression.strip(), values).evaluate(values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
