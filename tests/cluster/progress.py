"""How far a download or a build is: one line on standard error, drawn again on a terminal, now and then elsewhere."""

import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

EVERY = "EXECLOOP_PROGRESS_SECONDS"
"""How often to print a line where standard error is no terminal."""
_QUIET_SECONDS = 15.0
_REDRAW_SECONDS = 0.2
_WIDTH = 24


class Progress:
    """Call it with the number of units done so far; `expected` is a guess of the seconds that the whole takes."""

    def __init__(
        self,
        what: str,
        total: int,
        expected: float,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._total, self._expected, self._clock = what, total, expected, clock
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._pause = _REDRAW_SECONDS if self._live else float(os.environ.get(EVERY, _QUIET_SECONDS))
        self._began = clock()
        self._next = self._began

    def __call__(self, done: int) -> None:
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._pause
        text = line(self._what, done / self._total if self._total else 1, now - self._began, self._expected)
        self._write(f"\r\033[K{text}" if self._live else f"{text}\n")

    def close(self) -> None:
        """Leave the line free for what follows."""
        if self._live:
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def line(what: str, share: float, elapsed: float, expected: float) -> str:
    """Return such as `compiling etcd  ██████░░░░  61%, 1:20 of about 2:10`. The guess weighs less as work is done."""
    share = min(max(share, 0.0), 1.0)
    full = round(share * _WIDTH)
    about = elapsed + (1 - share) * expected
    bar = "█" * full + "░" * (_WIDTH - full)
    return f"{what}  {bar} {share:4.0%}, {_minutes(elapsed)} of about {_minutes(about)}"


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"
