"""Lengths of time on the command line, as resources write them: `90s`, `30m`, `1h30m`."""

from __future__ import annotations

import click

__all__ = ["in_seconds"]


def in_seconds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Return what an option says, in seconds: its callback. Raises BadParameter."""
    if value is None:
        return None
    from execloop.controller.api.duration import parse_duration  # noqa: PLC0415 - the command starts without it

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
