"""What stands between a caller and plan code that did not run to its end.

NotNow               not an error of the Plan: call again, uncounted
├── LoopGivenUp      another Plan blocks the event loop
├── StillRunning     an earlier call of this Plan has not ended
└── TooManyBlocked   plan code holds all threads
OutOfTime            it has not ended in time, and is abandoned
Escaped              it raised something that is not an Exception
"""

from __future__ import annotations

__all__ = ["Escaped", "LoopGivenUp", "NotNow", "OutOfTime", "StillRunning", "TooManyBlocked"]


class NotNow(Exception):
    """`after`: seconds until another attempt makes sense."""

    after: float = 1.0


class LoopGivenUp(NotNow):
    """Another plan blocked the event loop; the run starts again on a new one, uncounted."""


class StillRunning(NotNow):
    """An earlier call for the same key still runs; `on_free` tells when it has ended."""


class TooManyBlocked(NotNow):
    """As many threads as there may be are held by plan code; `on_free` tells the next in line when one is free."""


class OutOfTime(Exception):
    """The call has not ended within its time. What of it still runs bars its key."""


class Escaped(Exception):
    """SystemExit, KeyboardInterrupt, CancelledError or another BaseException out of plan code; it is the cause."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.__cause__ = cause
