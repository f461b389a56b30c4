"""What a task changes of an object, a line for each field. Nothing of a Secret's content is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["changed", "created", "deleted"]

_MOST_BYTES, _LONGEST_VALUE = 3900, 200
_HIDDEN = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
_MASK = "***"


def created(manifest: Mapping[str, Any]) -> str:
    """Return the fields of an object that does not exist yet."""
    return _text(f"+ {path}: {_shown(manifest, path, value)}" for path, value in _leaves(_content(manifest)))


def changed(live: Mapping[str, Any], applied: Mapping[str, Any]) -> str:
    """Return what differs between an object and what applying would make of it."""
    before, after = dict(_leaves(_content(live))), dict(_leaves(_content(applied)))
    return _text(_differences(live, before, after))


def deleted(live: Mapping[str, Any]) -> str:
    """Return what is to be deleted."""
    made = live["metadata"].get("creationTimestamp", "")
    return f"- the whole object, which exists since {made}"


def _differences(of: Mapping[str, Any], before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            yield f"- {path}: {_shown(of, path, before[path])}"
        elif path not in before:
            yield f"+ {path}: {_shown(of, path, after[path])}"
        elif before[path] != after[path]:
            yield f"~ {path}: {_shown(of, path, before[path])} -> {_shown(of, path, after[path])}"


def _content(state: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in state["metadata"].items() if key not in _HIDDEN}
    return {key: value for key, value in state.items() if key != "status"} | {"metadata": metadata}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _leaves(each, f"{path}[{index}]")
    else:
        yield path, value


def _shown(of: Mapping[str, Any], path: str, value: Any) -> str:
    secret = of.get("kind") == "Secret" and not path.startswith(
        ("metadata.name", "metadata.labels", "apiVersion", "kind", "type")
    )
    if secret:
        return _MASK
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _text(lines: Iterator[str]) -> str:
    """Return as many lines as fit, and how many do not."""
    every, size = list(lines), 0
    for count, line in enumerate(every):
        size += len(line.encode(errors="replace")) + 1
        if size > _MOST_BYTES:
            return "\n".join([*every[:count], f"… and {len(every) - count} more lines"])
    return "\n".join(every)
