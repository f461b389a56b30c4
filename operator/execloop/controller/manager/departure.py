"""Leave the process for certain, whatever plan code does: no thread is joined, no exit handler is waited for.

The command leaves so at its end, `process.py` at once when the Lease is lost, and a deadline sees to a stop that hangs.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["leave", "leave_within"]

logger = logging.getLogger(__name__)

_FLUSH = 1.0


def leave(code: int) -> NoReturn:
    """Write out what logs and the standard streams hold, for at most a second, and end the process."""
    with suppress(RuntimeError):  # the system gives no more threads
        # In a thread: a full pipe, or a lock that a blocked plan holds, must not keep the process alive.
        flushing = threading.Thread(target=_flush, daemon=True)
        flushing.start()
        flushing.join(_FLUSH)
    os._exit(code)


def leave_within(seconds: float, code: int, go: Callable[[int], object] = leave) -> None:
    """Leave after so long, also where the event loop no longer turns."""

    def wait() -> None:
        time.sleep(seconds)
        with suppress(RuntimeError):
            threading.Thread(
                target=logger.error, args=("not stopped within %.0f s; exiting", seconds), daemon=True
            ).start()
        go(code)

    threading.Thread(target=wait, name="departure", daemon=True).start()


def _flush() -> None:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed, or without a reader
            stream.flush()
