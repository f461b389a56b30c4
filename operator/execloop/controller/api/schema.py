"""From a Pydantic model to a structural schema, as apiextensions.k8s.io/v1 asks for it.

Structural means: no references, no null beside another type, no keyword that the API server does not know.
"""

from typing import Any

from execloop.controller.api.model import Model

__all__ = ["structural_schema"]

_DROPPED = {"title", "$defs"}
_KEPT = {
    "type", "description", "default", "enum", "format", "pattern", "required", "properties", "items",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "x-kubernetes-validations",
}  # fmt: skip
_INT32_MAX = 2**31 - 1


def structural_schema(model: type[Model], *, defaults: bool) -> dict[str, Any]:
    """With `defaults` the API server fills them in.

    Never inside of a list: clients compare lists as a whole, and would see a difference for ever.
    """
    schema = model.model_json_schema(by_alias=True, mode="serialization")
    return _structural(schema, schema.get("$defs", {}), defaults=defaults)


def _structural(node: dict[str, Any], definitions: dict[str, Any], *, defaults: bool) -> dict[str, Any]:
    node = _resolve(node, definitions)
    if node.get("additionalProperties") is True:
        del node["additionalProperties"]
        node["x-kubernetes-preserve-unknown-fields"] = True
    if unknown := set(node) - _KEPT - _DROPPED - {"x-kubernetes-preserve-unknown-fields"}:
        raise ValueError(f"a structural schema has no {', '.join(sorted(unknown))}: {node}")
    if not defaults or node.get("default") in (None, []):
        node.pop("default", None)
    if "description" in node:
        node["description"] = " ".join(node["description"].split())
    if number_format := _number_format(node):
        node["format"] = number_format
    if "properties" in node:
        node["properties"] = {
            name: _structural(child, definitions, defaults=defaults) for name, child in node["properties"].items()
        }
    if "items" in node:
        node["items"] = _structural(node["items"], definitions, defaults=False)
        node["x-kubernetes-list-type"] = "atomic"
    return {key: value for key, value in sorted(node.items(), key=_reading_order) if key not in _DROPPED}


def _resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """In place of a reference, or of a choice between something and null, that something; the node's own words win."""
    own = dict(node)
    if "$ref" in own:
        return _resolve(definitions[own.pop("$ref").rpartition("/")[2]], definitions) | own
    if "anyOf" in own:
        (something,) = (choice for choice in own.pop("anyOf") if choice != {"type": "null"})
        return _resolve(something, definitions) | own
    return own


def _number_format(node: dict[str, Any]) -> str | None:
    match node.get("type"):
        case "integer":
            return "int32" if node.get("maximum", _INT32_MAX + 1) <= _INT32_MAX else "int64"
        case "number":
            return "double"
    return None


def _reading_order(item: tuple[str, Any]) -> tuple[int, str]:
    """What a field is comes first, what is in it last."""
    first, last = ["description", "type"], ["required", "properties", "items", "x-kubernetes-validations"]
    key = item[0]
    if key in first:
        return first.index(key), key
    return (3 + last.index(key), key) if key in last else (2, key)
