"""A plan's parameters against its model: a name that the model does not declare is an error, at any depth.

A model that sets Pydantic's `extra` itself has its own rule. Standard library only: the model brings Pydantic, and any
class with `model_validate` will do as one. `Definition.parse` is the only way in.
"""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from execloop._engine.errors import InvalidParameters, ParameterProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["declared", "fitted", "unknown", "validate", "validate_leniently"]

Location = tuple[int | str, ...]
Context: TypeAlias = "Mapping[str, Any] | None"
EXTRA = "extra_forbidden"
_OF_EXTRA = ("Extra inputs are not permitted", "Unexpected keyword argument")
"""Pydantic's own words. A model that checks another one has the names of that in its message."""
NAMES_SHOWN = 10


def fitted(model: Any, raw: Mapping[str, Any], context: Context = None) -> Any:
    """Return the parameters as the model makes them. Raises ValueError, as the model does."""
    return _validator(model)(raw, context=context)


def validate(model: Any, raw: Mapping[str, Any], context: Context = None) -> Any:
    """Return the parameters as the model makes them. Raises InvalidParameters with all problems, and no values.

    `context` is what a Pydantic model's validators may ask (`ValidationInfo.context`).
    """
    try:
        return fitted(model, raw, context)
    except ValueError as error:
        raise InvalidParameters.of(_problems(model, error)) from None


def validate_leniently(model: Any, raw: Mapping[str, Any], context: Context = None) -> Any:
    """Do the same without the names that are not declared, also where the model itself forbids them."""
    pruned, known = _copy(raw), {"context": context} if _is_pydantic(model) else {}
    while True:
        try:
            return model.model_validate(pruned, **known)
        except ValueError as error:
            problems = _problems(model, error)
            extra = [problem.location for problem in problems if problem.rule == EXTRA]
            if sum(_remove(pruned, location) for location in extra) == 0:
                raise InvalidParameters.of(problems) from None


def declared(model: Any) -> frozenset[str] | None:
    """Return the names that a model gives its parameters, aliases among them; None when it cannot say."""
    fields = getattr(model, "model_fields", None)
    return None if fields is None else frozenset(_names(fields))


def unknown(name: str, known: Sequence[str]) -> str:
    """Return what to say of a name that is not among the known ones."""
    if near := difflib.get_close_matches(name, known, n=1):
        return f"there is no such parameter; did you mean {near[0]}?"
    more = f" and {len(known) - NAMES_SHOWN} more" if len(known) > NAMES_SHOWN else ""
    listed = ", ".join(sorted(known)[:NAMES_SHOWN])
    return f"there is no such parameter here; there is {listed}{more}" if known else "there is no such parameter"


@lru_cache(maxsize=256)
def _validator(model: Any) -> Callable[..., Any]:
    pydantic, core = sys.modules.get("pydantic"), sys.modules.get("pydantic_core")
    if pydantic is None or core is None or not _is_pydantic(model):
        return _Duck(model)
    schema = _forbidding(pydantic.TypeAdapter(model).core_schema, forbid=False)
    # Else it would put each model's own validator, which it has built already, in place of its schema.
    strict = core.SchemaValidator(schema, _use_prebuilt=False)
    validate: Callable[..., Any] = strict.validate_python
    return validate


def _is_pydantic(model: Any) -> bool:
    """Return whether the model validates as Pydantic's models do: one that has a way of its own goes that way."""
    base: Any = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    if base is None or not isinstance(model, type) or not issubclass(model, base):
        return False
    return getattr(model.model_validate, "__func__", None) is base.model_validate.__func__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class _Duck:
    """A model that is not Pydantic's, or has its own `model_validate`: its fields, where it has some, are the names."""

    model: Any

    def __call__(self, raw: Mapping[str, Any], context: Context) -> Any:  # noqa: ARG002 - as Pydantic's are called
        known = declared(self.model)
        if known is not None and "extra" not in getattr(self.model, "model_config", {}):
            odd = [ParameterProblem((name,), unknown(name, sorted(known)), EXTRA) for name in raw if name not in known]
            if odd:
                raise InvalidParameters.of(odd)
        return self.model.model_validate(raw)


# -- Pydantic's core schema, with `extra` forbidden where a model does not set it

_LEFT_ALONE = {"cls", "config", "default", "default_factory", "expected", "function", "metadata", "serialization"}


def _forbidding(schema: Any, *, forbid: bool) -> Any:
    """Return a copy of a schema; `forbid` is what the model around it comes to."""
    if isinstance(schema, list | tuple):
        return type(schema)(_forbidding(item, forbid=forbid) for item in schema)
    if not isinstance(schema, dict):
        return schema
    match schema.get("type"):
        case "model":
            forbid = "extra" not in schema["cls"].model_config
        case "dataclass":
            forbid = "extra" not in getattr(schema["cls"], "__pydantic_config__", {})
        case "typed-dict":
            forbid = "extra_behavior" not in schema and "extra_fields_behavior" not in schema.get("config", {})
    fields = schema.get("type") in ("model-fields", "dataclass-args", "typed-dict")
    inside = forbid and not fields
    copied = {key: value if key in _LEFT_ALONE else _forbidding(value, forbid=inside) for key, value in schema.items()}
    if fields and forbid:
        copied["extra_behavior"] = "forbid"
    return copied


# -- what to say


def _problems(model: Any, error: ValueError) -> list[ParameterProblem]:
    if isinstance(error, InvalidParameters):
        return list(error.problems)
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return [ParameterProblem((), type(error).__name__, "")]
    return [
        ParameterProblem(item["loc"], _message(model, item), item["type"])
        for item in errors(include_url=False, include_input=False, include_context=False)
    ]


def _message(model: Any, item: Mapping[str, Any]) -> str:
    if item["msg"] in _OF_EXTRA:
        *place, name = item["loc"]
        return unknown(str(name), sorted(_known_at(model, place) - {str(name)}))  # it may be a field with an alias
    return str(item["msg"]).removeprefix("Value error, ")


def _known_at(model: Any, place: Sequence[int | str]) -> set[str]:
    """Return the names that may stand at a place; in a union, those of each of its models."""
    models = [model]
    for step in place:
        below = [
            inner
            for outer in models
            for name, field in _fields(outer).items()
            if step in _names({name: field})
            for inner in _models_in(getattr(field, "annotation", None))
        ]
        models = below or models  # an index, or the name that Pydantic gives a member of a union
    return {name for one in models for name in _names(_fields(one))}


def _fields(model: Any) -> Mapping[str, Any]:
    return getattr(model, "model_fields", None) or getattr(model, "__pydantic_fields__", None) or {}


def _models_in(annotation: Any) -> Iterator[Any]:
    if _fields(annotation):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _names(fields: Mapping[str, Any]) -> set[str]:
    """Return all names under which fields may be given, their own also where only an alias is accepted."""
    found = set(fields)
    for field in fields.values():
        for alias in (getattr(field, "alias", None), getattr(field, "validation_alias", None)):
            for choice in getattr(alias, "choices", None) or [alias]:
                path = getattr(choice, "path", None) or [choice]
                found |= {path[0]} if isinstance(path[0], str) else set()
    return found


# -- without what is not declared


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _remove(value: Any, location: Location) -> bool:
    """Remove what stands there; return whether anything did. Steps that only name a member of a union are passed."""
    *place, last = location
    for step in place:
        listed = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if listed or (isinstance(value, dict) and step in value):
            value = value[step]
    if not isinstance(value, dict) or last not in value:
        return False
    del value[last]
    return True
