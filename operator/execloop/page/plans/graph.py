"""The Plans that depend on each other, laid out in columns from left to right. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from execloop.page.plans.summary import Summary

__all__ = ["Edge", "Graph", "Node", "draw"]

Key: TypeAlias = tuple[str, str]

WIDTH: Final = 216
HEIGHT: Final = 46
_COLUMN, _ROW, _MARGIN = WIDTH + 72, HEIGHT + 14, 8
_TALLEST: Final = 12
"""Plans in a column that are drawn one by one; in a taller one those of one plan and state become one box."""
_LONGEST = 26


@dataclass(frozen=True, slots=True)
class Node:
    """One box: a Plan, several of one plan and state, or one that the person cannot see."""

    namespace: str
    name: str
    state: str
    """Empty for one that does not exist, or that the person may not list."""
    count: int
    href: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Edge:
    path: str
    """As SVG writes it."""


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int


def draw(summaries: Iterable[Summary], focus: Key | None = None) -> Graph:
    """Lay out the Plans that need others or are needed; with a focus only those that it is connected with."""
    known = {one.key: one for one in summaries}
    needs = {key: tuple(dict.fromkeys(one.needs)) for key, one in known.items() if one.needs}
    if focus is not None:
        needs = _around(needs, focus)
    keys = {*needs, *(need for wanted in needs.values() for need in wanted)}
    columns = _columns(keys, needs)
    tall = {column for column, count in Counter(columns.values()).items() if count > _TALLEST}
    boxes: dict[tuple[object, ...], list[Key]] = defaultdict(list)
    for key in sorted(keys, key=lambda key: (columns[key], known[key].rank if key in known else -1, key)):
        one, column = known.get(key), columns[key]
        apart = one is None or column not in tall or key == focus
        boxes[(column, key) if apart or one is None else (column, one.plan, one.state, one.namespace)].append(key)
    places: dict[Key, tuple[int, int]] = {}
    nodes, rows = [], Counter[int]()
    for members in boxes.values():
        column = columns[members[0]]
        x, y = _MARGIN + column * _COLUMN, _MARGIN + rows[column] * _ROW
        rows[column] += 1
        places.update(dict.fromkeys(members, (x, y)))
        nodes.append(_node(members, known, x, y))
    edges = dict.fromkeys(_edge(places[need], places[key]) for key, wanted in needs.items() for need in wanted)
    width = 2 * _MARGIN + max(columns.values(), default=0) * _COLUMN + WIDTH
    return Graph(tuple(nodes), tuple(edges), width, 2 * _MARGIN + max(rows.values(), default=0) * _ROW)


def _around(needs: Mapping[Key, tuple[Key, ...]], focus: Key) -> dict[Key, tuple[Key, ...]]:
    """Return the edges on the ways to and from the focus."""
    needed_by: dict[Key, list[Key]] = defaultdict(list)
    for key, wanted in needs.items():
        for need in wanted:
            needed_by[need].append(key)
    before, after = _reached(focus, needs), _reached(focus, needed_by)
    found = {key: needs[key] for key in before if key in needs}
    for key in after - {focus}:
        found.setdefault(key, tuple(need for need in needs[key] if need in after))
    return found


def _reached(start: Key, steps: Mapping[Key, Iterable[Key]]) -> set[Key]:
    met, pending = {start}, [start]
    while pending:
        for other in steps.get(pending.pop(), ()):
            if other not in met:
                met.add(other)
                pending.append(other)
    return met


def _columns(keys: Iterable[Key], needs: Mapping[Key, tuple[Key, ...]]) -> dict[Key, int]:
    """Return a column for each Plan, right of all that it needs; in a circle the last link is left out."""
    columns: dict[Key, int] = {}
    for root in sorted(keys):
        stack, open_now = [(root, False)], set()
        while stack:
            key, done = stack.pop()
            wanted = needs.get(key, ())
            if done:
                open_now.discard(key)
                columns[key] = 1 + max((columns[need] for need in wanted if need in columns), default=-1)
            elif key not in columns and key not in open_now:
                open_now.add(key)
                stack.append((key, True))
                stack += [(need, False) for need in wanted if need not in columns and need not in open_now]
    return columns


def _node(members: list[Key], known: Mapping[Key, Summary], x: int, y: int) -> Node:
    namespace, name = members[0]
    one, count = known.get(members[0]), len(members)
    if one is None:
        return Node(namespace, _cut(name), "", 1, "", x, y)
    if count > 1:
        href = f"/?namespace={namespace}&plan={one.plan}&state={one.state}"
        return Node(namespace, f"{count} × {_cut(one.plan)}", one.state, count, href, x, y)  # noqa: RUF001 - a product
    return Node(namespace, _cut(name), one.state, 1, f"/plans/{namespace}/{name}", x, y)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _edge(start: tuple[int, int], end: tuple[int, int]) -> Edge:
    x, y, to_x, to_y = start[0] + WIDTH, start[1] + HEIGHT // 2, end[0], end[1] + HEIGHT // 2
    bend = max(30, abs(to_x - x) // 2)
    return Edge(f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}")
