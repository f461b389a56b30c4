"""A plan's parameters, as its model describes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from execloop._plans.definition import Definition

__all__ = ["Parameter", "parameters_of", "schema_of"]


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    required: bool
    default: str = ""
    """As JSON."""
    description: str = ""

    def __str__(self) -> str:
        return self.name if self.required else f"[{self.name}]"


def schema_of(definition: Definition) -> dict[str, Any]:
    """A JSON Schema; of a plan whose parameters have no model, the little there is to say."""
    describe = getattr(definition.parameters, "model_json_schema", None)
    if callable(describe):
        schema: dict[str, Any] = describe()
        return schema
    if not definition.unchecked and definition.parameters is None:
        return {"type": "object", "additionalProperties": False}
    return {"type": "object"}


def parameters_of(definition: Definition) -> list[Parameter]:
    schema = schema_of(definition)
    required = set(schema.get("required", ()))
    return [
        Parameter(
            name,
            _type(field),
            name in required,
            json.dumps(field["default"]) if "default" in field else "",
            " ".join(str(field.get("description", "")).split()),
        )
        for name, field in schema.get("properties", {}).items()
    ]


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return " | ".join(map(json.dumps, field["enum"]))
    if "const" in field:
        return json.dumps(field["const"])
    for choice in ("anyOf", "oneOf"):
        if choice in field:
            return " | ".join(map(_type, field[choice]))
    if field.get("type") == "array" and "items" in field:
        return f"array of {_type(field['items'])}"
    return str(field.get("format") or field.get("type") or "any")
