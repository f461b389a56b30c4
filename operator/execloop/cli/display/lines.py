"""What happens, as plain lines: for a pipe, a log, a CI job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._engine.events import ConvergedEvent, GaveUp, TaskStarted
from execloop.listeners import in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.events import Event

__all__ = ["Lines", "printable"]


def printable(text: str) -> str:
    """Names and messages come from anywhere: they must not steer the terminal. Further lines are indented."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return "\n  " if char == "\n" else char.encode("unicode_escape").decode("ascii")


class Lines:
    """A listener. How it ended is the caller's to say."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def __call__(self, event: Event) -> None:
        if not isinstance(event, TaskStarted | ConvergedEvent | GaveUp):
            self._write(printable(in_words(event)))
