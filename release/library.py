"""`python -m release.library [--check] docs/library`: the tables of parameters in the pages of the built-in plans.

A page has a line `<!-- parameters -->`, and the table follows it up to `<!-- end -->`. The page's name is the plan's.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from execloop._plans.duration import PATTERN as DURATION
from execloop._plans.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["page", "tables"]

_BLOCK = re.compile(r"(?<=<!-- parameters -->\n).*?(?=<!-- end -->)", re.DOTALL)


def page(text: str, model: Any) -> str:
    """Return a page with the tables of its plan's model."""
    return _BLOCK.sub(lambda _: "\n" + "\n".join(tables(model.model_json_schema())) + "\n", text)


def tables(schema: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table for the model, and of one for each model within it."""
    yield from _table("parameter", schema)
    for name, inner in schema.get("$defs", {}).items():
        if "properties" in inner:
            yield from ("", f"`{name}`:", "", *_table("field", inner))


def _table(first: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"| {first} | type | default | meaning |"
    yield "|---|---|---|---|"
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        default = "required" if name in required else _default(field.get("default"))
        yield f"| `{name}` | {_type(field)} | {default} | {field.get('description', '').replace('|', chr(92) + '|')} |"


def _default(value: object) -> str:
    return "" if value in (None, [], {}) else f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def _type(field: dict[str, Any]) -> str:
    match field:
        case {"$ref": reference}:
            words = f"`{reference.rpartition('/')[2]}`"
        case {"enum": choices}:
            words = " or ".join(f"`{choice}`" for choice in choices)
        case {"anyOf": choices}:
            words = " or ".join(dict.fromkeys(_type(each) for each in choices if each.get("type") != "null"))
        case {"type": "array", "items": items}:
            words = f"list of {_type(items)}"
        case {"type": "string", "pattern": pattern} if pattern == DURATION:
            words = "duration"
        case _:
            words = str(field.get("type", "any"))
    return words


def main() -> None:
    """Write the pages, or say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    registry = Registry.load()
    stale = []
    for path in sorted(arguments.folder.glob("*.md")):
        text = path.read_text()
        if "<!-- parameters -->" not in text:
            continue
        made = page(text, registry.get(path.stem).definition.parameters)
        if made != text:
            stale.append(str(path))
            if not arguments.check:
                path.write_text(made)
    if stale and arguments.check:
        sys.exit(f"{', '.join(stale)}: stale; run `make library`")


if __name__ == "__main__":
    main()
