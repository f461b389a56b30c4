"""Whether a model validates without running code of its author: such a model can neither block nor end the process.

The operator asks it: other models validate in a thread of their own. Standard library only, as `parameters` is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_code_free"]

_KNOWN: Final = frozenset(
    {"any", "bool", "date", "datetime", "default", "definition-ref", "definitions", "dict", "float", "frozenset", "int"}
    | {"list", "literal", "model", "model-field", "model-fields", "none", "nullable", "set", "str", "time", "timedelta"}
    | {"tuple", "typed-dict", "typed-dict-field", "union"}
)
"""Kinds of Pydantic's core schema that its own compiled code validates."""
_ASIDE: Final = frozenset({"cls", "config", "metadata", "ref", "serialization"})
"""What a schema holds that is not for validation, or that is looked at by name."""
_PLAIN: Final = (str, int, float, type(None))


@lru_cache(maxsize=256)
def is_code_free(model: Any) -> bool:
    """Return whether Pydantic's compiled code alone validates a model: no validator, no factory, no class of its own.

    Anything that is not known to be so counts as code.

    >>> is_code_free(None)
    True
    """
    if model is None:
        return True
    schema = getattr(model, "__pydantic_core_schema__", None)
    way = getattr(getattr(model, "model_validate", None), "__module__", None)
    return isinstance(schema, dict) and way == "pydantic.main" and _is_free(schema)


def _is_free(part: object) -> bool:
    if isinstance(part, list | tuple):
        return all(map(_is_free, part))
    if not isinstance(part, dict):
        return isinstance(part, _PLAIN)
    fields = part.get("fields")
    if part.get("type") not in _KNOWN or not _runs_nothing(part):
        return False
    if isinstance(fields, dict) and not all(map(_is_free, fields.values())):
        return False
    return all(_is_free(value) for key, value in part.items() if key not in _ASIDE and value is not fields)


def _runs_nothing(schema: Mapping[str, Any]) -> bool:
    """Return whether one schema, apart from those in it, calls nothing, and has no pattern that may take for ever."""
    own = schema.get("cls", object).__new__ is not object.__new__
    slow = (schema.get("config") or {}).get("regex_engine") == "python-re"
    return not (own or slow or any(schema.get(name) for name in ("copy_default", "custom_init", "post_init")))
