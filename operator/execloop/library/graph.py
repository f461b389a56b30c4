"""Steps that follow others: what comes before, in which order, and whether they form a circle."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Needs: TypeAlias = Mapping[str, Iterable[str]]

__all__ = ["before", "circle_in", "in_order"]


def circle_in(needs: Needs) -> str | None:
    """Return the steps that wait for each other, as `a → b → a`; None when there are none.

    >>> circle_in({"a": ["b"], "b": ["a"]})
    'a → b → a'
    """
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return " → ".join(error.args[1])
    return None


def before(name: str, needs: Needs) -> frozenset[str]:
    """Return all steps that come before one, directly or through others."""
    found: set[str] = set()
    pending = list(needs[name])
    while pending:
        if (other := pending.pop()) not in found:
            found.add(other)
            pending += needs[other]
    return frozenset(found)


def in_order(needs: Needs) -> tuple[str, ...]:
    """Return the names so that each follows what it needs, otherwise as they are given.

    >>> in_order({"b": ["a"], "a": [], "c": []})
    ('a', 'b', 'c')
    """
    order: list[str] = []
    while len(order) < len(needs):
        order.append(next(name for name in needs if name not in order and set(order).issuperset(needs[name])))
    return tuple(order)
