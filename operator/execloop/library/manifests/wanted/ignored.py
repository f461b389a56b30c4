"""Fields that others may change: once an object exists, they stay as they are."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Ignored", "keep_live", "paths_for"]

_PROTECTED = ("apiVersion", "kind", "metadata/name", "metadata/namespace")


def _pointer(text: str) -> str:
    if not text.startswith("/") or text == "/":
        raise ValueError("a JSON pointer begins with '/', such as /spec/replicas")
    if any(text[1:] == field or text[1:].startswith(f"{field}/") for field in _PROTECTED):
        raise ValueError("what names an object cannot be ignored")
    return text


class Ignored(BaseModel):
    """Fields of some objects that are applied when the object is made, and are left alone from then on."""

    kind: str = Field(min_length=1, description="The kind of the objects.")
    name: str | None = Field(None, description="The name of the one object; all of the kind without it.")
    paths: list[Annotated[str, AfterValidator(_pointer)]] = Field(
        min_length=1, max_length=100, description="JSON pointers (RFC 6901) to the fields, such as `/spec/replicas`."
    )


def paths_for(manifest: Mapping[str, Any], rules: Iterable[Ignored]) -> tuple[str, ...]:
    """Return the pointers that hold for an object."""
    name = manifest["metadata"]["name"]
    fitting = (rule for rule in rules if rule.kind == manifest["kind"] and rule.name in (None, name))
    return tuple(dict.fromkeys(path for rule in fitting for path in rule.paths))


def keep_live(manifest: dict[str, Any], live: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return what to apply to an object that exists: with the live values of these fields, or without them.

    A field is not merely left out: one that only this plan has set would then be removed by the server.
    """
    wanted = copy.deepcopy(manifest)
    for path in paths:
        *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
        target, source = _inner(wanted, parents), _inner(live, parents)
        if target is None or not _has(target, last):
            continue
        if source is not None and _has(source, last):
            target[_index(target, last)] = copy.deepcopy(source[_index(source, last)])
        elif isinstance(target, dict):
            del target[last]
    return wanted


def _inner(value: Any, parents: Iterable[str]) -> Any:
    for part in parents:
        if not _has(value, part):
            return None
        value = value[_index(value, part)]
    return value


def _has(value: Any, part: str) -> bool:
    if isinstance(value, list):
        return part.isdecimal() and int(part) < len(value)
    return isinstance(value, dict) and part in value


def _index(value: Any, part: str) -> Any:
    return int(part) if isinstance(value, list) else part
