"""The page of the curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.picture import Point, curves
from benchmarks.statistics import exponent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MOST", "Row", "as_markdown", "as_svg"]

MOST = 1.25
"""The largest exponent that passes for linear: a little more than 1 is what memory costs."""
_PREAMBLE = """\
# How the work grows

CPU time of the operator's own work for 100, 1,000 and 10,000 Plans, objects or values, without a cluster. {machine};
the load average was {load:.1f} before it began. The best of three. The exponent is the slope of the logarithms: 1 is
linear, 2 quadratic. `make bench-scale` makes this page, and fails when an exponent is over {most}.

![Time against number, on logarithmic scales](scale.svg)

"""


class Row(NamedTuple):
    """What was measured, what it does, and the seconds at each size."""

    name: str
    does: str
    seconds: tuple[float, ...]

    def exponent(self, sizes: Sequence[int]) -> float:
        return exponent(sizes, self.seconds)


def as_markdown(rows: Sequence[Row], sizes: Sequence[int], machine: str, load: float) -> str:
    return _PREAMBLE.format(machine=machine, load=load, most=MOST) + "".join(_table(rows, sizes))


def _table(rows: Sequence[Row], sizes: Sequence[int]) -> Iterator[str]:
    yield "| |" + "".join(f" {size:,} |" for size in sizes) + " exponent | |\n"
    yield "|---|" + "---:|" * (len(sizes) + 1) + "---|\n"
    for row in rows:
        times = "".join(f" {1000 * seconds:.2f} ms |" for seconds in row.seconds)
        yield f"| {row.name} |{times} {row.exponent(sizes):.2f} | {row.does} |\n"


def as_svg(rows: Sequence[Row], sizes: Sequence[int], machine: str) -> str:
    lines = {
        f"{row.name}: {row.exponent(sizes):.2f}": [Point(*pair) for pair in zip(sizes, row.seconds, strict=True)]
        for row in rows
    }
    note = f"{machine}; both scales are logarithmic; after each name its exponent"
    return curves("CPU time against the number", note, lines, lambda n: f"{n:,.0f}", lambda s: f"{1000 * s:g} ms")
