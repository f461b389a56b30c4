"""YAML as the API server reads it: what JSON has and nothing else, and no key twice."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

__all__ = ["NotYaml", "load_documents", "load_value"]

_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class NotYaml(ValueError):
    """Says what is wrong and where, in one line."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[yaml.MappingNode] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge what `<<` names, once the keys that stand here were seen to differ."""
        if node not in self._checked:
            self._checked.add(node)
            keys = set()
            for key_node, _ in node.value:
                if key_node.tag == _MERGE:
                    continue
                if (key := self._key(key_node)) in keys:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {key!r} is there twice", problem_mark=key_node.start_mark
                    )
                keys.add(key)
        super().flatten_mapping(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        return {self._key(key): self.construct_object(value, deep=deep) for key, value in node.value}

    def _key(self, node: yaml.Node) -> str:
        key = self.construct_object(node, deep=True)
        if isinstance(key, str):
            return key
        if key is None or isinstance(key, bool | int | float):
            return json.dumps(key)
        raise yaml.MarkedYAMLError(problem="a key should be a word or a number", problem_mark=node.start_mark)


def load_value(text: str) -> Any:
    """One value. Raises NotYaml."""
    try:
        return _plain(yaml.load(text, _Loader))  # noqa: S506 - takes less than SafeLoader does
    except yaml.YAMLError as error:
        raise NotYaml(f"not YAML: {_explain(error)}") from None


def load_documents(text: str) -> Iterator[Any]:
    """Each document. Raises NotYaml where one begins that cannot be read."""
    try:
        for document in yaml.load_all(text, _Loader):
            yield _plain(document)
    except yaml.YAMLError as error:
        raise NotYaml(f"not YAML: {_explain(error)}") from None


def _explain(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return " ".join(str(error).split())


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            raise NotYaml(f"{value} is no number for JSON")
        case None | bool() | int() | float() | str():
            return value
    raise NotYaml(f"JSON has nothing like {type(value).__name__}")
