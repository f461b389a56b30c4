"""The names that a plan's model of its parameters declares: they may be shown, whatever the parameters are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["declared_names"]


@lru_cache(maxsize=1024)
def declared_names(model: object) -> frozenset[str]:
    """Return the names and aliases of a model's fields, and of models within. Runs no code of the plan."""
    names: set[str] = set()
    seen: set[int] = set()
    pending = [model]
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        for name, field in _fields(part):
            names |= {name, *_aliases(field)}
            pending.append(getattr(field, "annotation", None) or getattr(field, "type", field))
        pending += get_args(part)
    return frozenset(names)


def _fields(part: Any) -> Iterator[tuple[str, Any]]:
    """Of a Pydantic model, a dataclass or a TypedDict."""
    if isinstance(part, type):
        for kind in ("model_fields", "__dataclass_fields__", "__annotations__"):
            fields = getattr(part, kind, None)
            if isinstance(fields, dict) and (kind != "__annotations__" or hasattr(part, "__total__")):
                yield from fields.items()
                return


def _aliases(field: Any) -> Iterator[str]:
    for kind in ("alias", "validation_alias"):
        alias = getattr(field, kind, None)
        choices = getattr(alias, "choices", [alias])
        yield from (choice for choice in choices if isinstance(choice, str))
