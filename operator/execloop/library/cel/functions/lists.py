"""What Kubernetes adds to lists: `[1, 2].sum()`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from execloop.library.cel.functions.declaration import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["FUNCTIONS"]

_MEMBERS: Final = ("STRING", "INT", "DOUBLE", "BOOL")
_INTEGERS: Final = range(-(2**63), 2**63)


def _comparable(given: Iterable[Any]) -> list[Any]:
    """Return the members, all of them numbers, texts or truth values. Raises ValueError."""
    members = list(given)
    kinds = {str if isinstance(each, str) else bool if isinstance(each, bool) else float for each in members}
    if len(kinds) > 1 or not all(isinstance(each, str | bool | int | float) for each in members):
        raise ValueError("a list of numbers or a list of texts is needed")
    return members


def _sum(given: Iterable[Any]) -> Any:
    members = _comparable(given)
    if any(isinstance(each, str | bool) for each in members):
        raise ValueError("a list of numbers is needed")
    total = sum(members)
    if isinstance(total, int) and total not in _INTEGERS:
        raise ValueError("the sum has more than 64 bits")
    return total


def _extreme(choose: Callable[[list[Any]], Any]) -> Callable[[Iterable[Any]], Any]:
    def find(given: Iterable[Any]) -> Any:
        if not (members := _comparable(given)):
            raise ValueError("an empty list has no least and no greatest member")
        return choose(members)

    return find


def _is_sorted(given: Iterable[Any]) -> bool:
    return all(one <= other for one, other in pairwise(_comparable(given)))


def _index(given: Iterable[Any], wanted: Any) -> int:
    return next((place for place, each in enumerate(given) if _same(each, wanted)), -1)


def _last_index(given: Iterable[Any], wanted: Any) -> int:
    members = list(given)
    found = _index(reversed(members), wanted)
    return -1 if found < 0 else len(members) - 1 - found


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _listed(name: str, call: Callable[..., Any], result: str, *others: str) -> Function:
    return Function(name, ("LIST", *others), result, call, member=True, listed=True)


FUNCTIONS: Final[tuple[Function, ...]] = (
    _listed("sum", _sum, "DYN"),
    _listed("min", _extreme(min), "DYN"),
    _listed("max", _extreme(max), "DYN"),
    _listed("isSorted", _is_sorted, "BOOL"),
    *(_listed("indexOf", _index, "INT", member) for member in _MEMBERS),
    *(_listed("lastIndexOf", _last_index, "INT", member) for member in _MEMBERS),
)
