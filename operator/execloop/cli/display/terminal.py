"""What a terminal is shown: text from anywhere made safe, and states in their colours."""

from __future__ import annotations

from typing import Final

import click

__all__ = ["coloured", "printable"]

_COLOURS: Final = {
    "Converged": "green",
    "Previewed": "green",
    "Running": "blue",
    "Retrying": "yellow",
    "Waiting": "yellow",
    "NeedsApproval": "magenta",
    "Stalled": "red",
    "Suspended": "bright_black",
    "TearingDown": "blue",
    "True": "green",
    "False": "red",
    "Unknown": "yellow",
    "Warning": "yellow",
}


def printable(text: str) -> str:
    """Return the text so that it cannot steer the terminal. Further lines are indented."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return "\n  " if char == "\n" else char.encode("unicode_escape").decode("ascii")


def coloured(text: str) -> str:
    """Return a state or a condition's status in its colour; other text as it is."""
    colour = _COLOURS.get(text.strip())
    return click.style(text, fg=colour) if colour else text
