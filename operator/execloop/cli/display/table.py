"""Columns as kubectl prints them: a row is a line, for people and for awk. Commands that list things print these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from execloop.cli.display.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["lines", "show"]

_GAP = "   "


def lines(
    header: Sequence[str], rows: Iterable[Sequence[str]], style: Callable[[str, str], str] | None = None
) -> list[str]:
    """Return the table's lines. `style(column, text)` may colour a cell, which is as wide as before."""
    cells = [list(header), *([" ".join(printable(cell).split("\n  ")) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    found = [_GAP.join(cell.ljust(width) for cell, width in zip(cells[0], widths, strict=True)).rstrip()]
    for row in cells[1:]:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        padded[-1] = row[-1]
        if style is not None:
            padded = [style(column, cell) for column, cell in zip(header, padded, strict=True)]
        found.append(_GAP.join(padded).rstrip())
    return found


def show(header: Sequence[str], rows: Iterable[Sequence[str]], style: Callable[[str, str], str] | None = None) -> None:
    """Print a table to standard output."""
    first, *others = lines(header, rows, style)
    click.secho(first, bold=True)
    for line in others:
        click.echo(line)
