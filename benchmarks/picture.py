"""Pictures for the pages: bars and curves. They need no library, and follow the reader's light or dark."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["Bar", "Group", "Point", "bars", "curves"]

_LEFT, _TOP, _ROW, _WIDTH = 290, 56, 26, 560
_HEIGHT = 330
_COLOURS = ("#2a6fdb", "#d9822b", "#2e9e5b", "#b1459b", "#7a6ff0", "#999", "#c0392b", "#16a0a0", "#8d6e3f", "#5c7080")
_STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#222}.h,.t{font-weight:600}.h{font-size:15px}.g{stroke:#ddd}"
    ".a{fill:#777;font-size:11px}.ours{fill:#2a6fdb}.hand{fill:#999}.peer{fill:#d9a441}.c{fill:none;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.g{stroke:#444}.a{fill:#999}}</style>"
)


class Bar(NamedTuple):
    """`kind`: `ours`, `peer` or `hand`, which is what no program does."""

    label: str
    value: float
    text: str
    kind: str = "peer"


class Group(NamedTuple):
    """Bars under one heading."""

    title: str
    bars: Sequence[Bar]


class Point(NamedTuple):
    x: float
    y: float


def bars(title: str, note: str, groups: Sequence[Group], axis: Callable[[float], str] | None = None) -> str:
    """Return horizontal bars. With `axis`, which names a value, the scale is logarithmic; else each group has one."""
    rows = [(group, bar) for group in groups for bar in (None, *group.bars) if bar is not None or group.title]
    height = _TOP + _ROW * len(rows) + (34 if axis else 12)
    decades = _range(bar.value for group in groups for bar in group.bars) if axis else range(2)
    low, high = decades[0], decades[-1]
    grid = "".join(_decades(low, high, height, axis)) if axis else ""
    drawn = ""
    for row, (group, bar) in enumerate(rows):
        y = _TOP + row * _ROW
        if bar is None:
            drawn += f'<text class="t" x="12" y="{y + 15}">{escape(group.title)}</text>'
            continue
        most = max(each.value for each in group.bars) or 1.0
        share = (math.log10(bar.value) - low) / (high - low) if axis else bar.value / most
        drawn += _bar(bar, y, share * _WIDTH)
    return _svg(title, note, _LEFT + _WIDTH + 150, height, grid + drawn)


def _bar(bar: Bar, y: int, width: float) -> str:
    return (
        f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect class="{bar.kind}" x="{_LEFT}" y="{y + 2}" width="{width:.1f}" height="{_ROW - 8}" rx="3"/>'
        f'<text x="{_LEFT + width + 8:.0f}" y="{y + 15}">{escape(bar.text)}</text>'
    )


def _decades(low: int, high: int, height: int, axis: Callable[[float], str]) -> Iterator[str]:
    for exponent in range(low, high + 1):
        x = _LEFT + (exponent - low) * _WIDTH / (high - low)
        yield f'<line class="g" x1="{x:.0f}" y1="{_TOP - 6}" x2="{x:.0f}" y2="{height - 28}"/>'
        yield _small(x, height - 12, axis(10.0**exponent))


def curves(
    title: str,
    note: str,
    lines: Mapping[str, Sequence[Point]],
    x_axis: Callable[[float], str],
    y_axis: Callable[[float], str],
) -> str:
    """Return curves over two logarithmic scales; each axis names a value. The key stands at the right."""
    xs, ys = _range(p.x for line in lines.values() for p in line), _range(p.y for line in lines.values() for p in line)
    left, width, height = 70, 560, _TOP + _HEIGHT + 40
    bottom = _TOP + _HEIGHT

    def place(point: Point) -> tuple[float, float]:
        x = left + (math.log10(point.x) - xs.start) / len(xs[:-1]) * width
        return x, bottom - (math.log10(point.y) - ys.start) / len(ys[:-1]) * _HEIGHT

    drawn = ""
    for exponent in xs:
        x, _ = place(Point(10.0**exponent, 10.0**ys.start))
        drawn += f'<line class="g" x1="{x:.0f}" y1="{_TOP}" x2="{x:.0f}" y2="{bottom}"/>'
        drawn += _small(x, bottom + 20, x_axis(10.0**exponent))
    for exponent in ys:
        _, y = place(Point(10.0**xs.start, 10.0**exponent))
        drawn += f'<line class="g" x1="{left}" y1="{y:.0f}" x2="{left + width}" y2="{y:.0f}"/>'
        drawn += _small(left - 8, y + 4, y_axis(10.0**exponent), "end")
    for number, (name, line) in enumerate(lines.items()):
        colour, y = _COLOURS[number % len(_COLOURS)], _TOP + 10 + 20 * number
        points = " ".join("{:.1f},{:.1f}".format(*place(point)) for point in line)
        drawn += f'<polyline class="c" stroke="{colour}" points="{points}"/>'
        drawn += f'<rect x="{left + width + 20}" y="{y - 9}" width="12" height="10" fill="{colour}"/>'
        drawn += f'<text x="{left + width + 38}" y="{y}">{escape(name)}</text>'
    return _svg(title, note, left + width + 300, max(height, _TOP + 30 + 20 * len(lines)), drawn)


def _range(values: Iterable[float]) -> range:
    """Return the decades that the values lie in, one at least."""
    logarithms = [math.log10(value) for value in values]
    low = math.floor(min(logarithms))
    return range(low, max(math.ceil(max(logarithms)), low + 1) + 1)


def _small(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text class="a" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, note: str, width: int, height: int, drawn: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f'<title>{escape(title)}</title>{_STYLE}<text class="h" x="12" y="24">{escape(title)}</text>'
        f'<text class="a" x="12" y="42">{escape(note)}</text>{drawn}</svg>\n'
    )
