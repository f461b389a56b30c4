"""How an object in the cluster differs from what applying would make of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from execloop.kube.errors import ApiError

__all__ = ["Comparison", "Drifted", "Missing", "Same", "differences"]

# They change with a write that changes nothing else, or say only how often it was written, and by which manager.
_BOOKKEEPING = frozenset({"managedFields", "resourceVersion", "generation"})
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Missing:
    """The object does not exist; neither, perhaps, is its namespace or its kind."""

    applied: dict[str, Any] | None = field(default=None, repr=False, compare=False)
    """What the server would make of it; None where it cannot say, since the namespace or the kind is missing."""
    refusal: ApiError | None = field(default=None, repr=False, compare=False)
    """Why the server would not create it as it is wished: a plan may wish for a part of what others create."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """Applying would change it. `paths` (`data.key`) have no values: they may be secret."""

    paths: tuple[str, ...]
    live: dict[str, Any] = field(repr=False, compare=False)
    applied: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What applying would make of it."""


@dataclass(frozen=True, slots=True)
class Same:
    """Applying would change nothing."""

    live: dict[str, Any] = field(repr=False, compare=False)


Comparison: TypeAlias = Missing | Drifted | Same


def differences(live: Mapping[str, Any], applied: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths at which two states of one object differ, each as short as it can be."""
    return tuple(_walk("", _content(live), _content(applied)))


def _content(state: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in state["metadata"].items() if key not in _BOOKKEEPING}
    return {**state, "metadata": metadata}


def _walk(path: str, left: Any, right: Any) -> Iterator[str]:
    match left, right:
        case dict(), dict():
            for key in sorted(left.keys() | right.keys()):
                if key not in left or key not in right:
                    yield _member(path, key)
                else:
                    yield from _walk(_member(path, key), left[key], right[key])
        case list(), list() if len(left) == len(right):
            for index, (one, other) in enumerate(zip(left, right, strict=True)):
                yield from _walk(f"{path}[{index}]", one, other)
        case _:
            if left != right:
                yield path


def _member(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key)}]"
    return f"{path}.{key}" if path else key
