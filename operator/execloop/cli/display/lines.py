"""What happens, as plain lines: for a pipe, a log, a CI job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._engine.events import ConvergedEvent, GaveUp, TaskStarted
from execloop.cli.display.terminal import printable
from execloop.listeners import in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.events import Event

__all__ = ["Lines"]


class Lines:
    """A listener. How it ended is the caller's to say."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def __call__(self, event: Event) -> None:
        if not isinstance(event, TaskStarted | ConvergedEvent | GaveUp):
            self._write(printable(in_words(event)))
