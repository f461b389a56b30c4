"""Parameters as `-p key=value` says them: dotted keys nest, values are YAML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from execloop._yaml import BadYaml, load
from execloop.cli.exits import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["assign"]

_DOT = re.compile(r"(?<!\\)\.")


def assign(parameters: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """A copy of the parameters with `a.b=1` and the like in place; a backslash makes a dot part of its key."""
    changed: dict[str, Any] = _copy(parameters)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        steps = [step.replace("\\.", ".") for step in _DOT.split(key)]
        if not equals or not all(steps):
            raise Mistake(f"-p {assignment}: should be key=value, such as -p replicas=3 or -p image.tag=v2")
        try:
            value = load(text)
        except BadYaml as error:
            raise Mistake(f"-p {key}: not YAML: {error.detail}") from None
        _put(changed, steps, value, key)
    return changed


def _put(target: dict[str, Any], steps: list[str], value: Any, key: str) -> None:
    for depth, step in enumerate(steps[:-1], start=1):
        target = target.setdefault(step, {})
        if not isinstance(target, dict):
            raise Mistake(f"-p {key}: {'.'.join(steps[:depth])} has a value already, so nothing can be inside it")
    target[steps[-1]] = value


def _copy(value: Any) -> Any:
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, dict) else value
