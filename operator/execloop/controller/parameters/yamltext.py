"""YAML out of ConfigMaps and Secrets: what JSON has, as deep as it is written, within bounds.

No message quotes the text, which may be a Secret's.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["MAX_DEPTH", "BadYaml", "load"]

MAX_DEPTH: Final = 100
"""Lists and mappings within one another."""

_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadYaml(ValueError):
    """Says what is wrong and where."""


class _Loader(_Base):  # type: ignore[misc]  # whichever there is
    """Without the types of YAML that JSON lacks: a date stays text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key in mapping:
                raise BadYaml(f"a key is there twice{_place(key_node.start_mark)}")
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping

    def _key(self, node: yaml.Node) -> str:
        key = self.construct_object(node, deep=True)
        if isinstance(key, str):
            return key
        if key is None or isinstance(key, bool | int | float):
            return json.dumps(key)
        raise BadYaml(f"a key should be a word or a number{_place(node.start_mark)}")


def _no_json(_loader: _Loader, node: yaml.Node) -> Any:
    raise BadYaml(f"it has a type that JSON lacks{_place(node.start_mark)}")


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    value: float = loader.construct_yaml_float(node)
    if not math.isfinite(value):
        raise BadYaml(f"it has a number that JSON lacks{_place(node.start_mark)}")
    return value


for _tag in ("binary", "omap", "pairs", "set", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _no_json)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def load(text: str) -> Any:
    """One document. Raises BadYaml."""
    try:
        _look_over(text)
        return yaml.load(text, _Loader)  # noqa: S506 - takes less than SafeLoader does
    except yaml.MarkedYAMLError as error:
        raise BadYaml(f"it cannot be read{_place(error.problem_mark)}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise error if isinstance(error, BadYaml) else BadYaml("it cannot be read") from None


def _look_over(text: str) -> None:
    """Before anything is made of it: small text can stand for an immense or bottomless value."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        match event:
            case yaml.AliasEvent():
                raise BadYaml(f"it uses an alias: write out what it stands for{_place(event.start_mark)}")
            case yaml.CollectionStartEvent():
                depth += 1
                if depth > MAX_DEPTH:
                    raise BadYaml(f"it is over {MAX_DEPTH} levels deep{_place(event.start_mark)}")
            case yaml.CollectionEndEvent():
                depth -= 1


def _place(mark: Any) -> str:
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
