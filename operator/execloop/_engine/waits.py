"""`Wait`: how plan code says that nothing can be done at the moment, without an error and without work.

Plan code raises or returns it; `returned` finds it among tasks, `walk` keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._engine.options import seconds

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["LONGEST_PAUSE", "Wait", "pause", "waits_of"]

LONGEST_PAUSE = 30.0
SHORTEST_PAUSE = 0.1
"""Seconds. With `sleep_between_runs=0` there is nothing to double, and a plan that waits must not spin."""


class Wait(Exception):
    """Something must happen before the plan can continue: not an error, and not work.

    Return it from `create()`, alone or among tasks; return it among a task's children; or raise it. The plan has then
    not converged, nothing is counted against the error budget, and the deadline runs on. The engine asks again after
    the soonest `again_in`; where none is given, after `sleep_between_runs`, doubled for each run that only waits, up
    to 30 seconds. Raised in a task, it skips the rest of that task; the other tasks run.

    Args:
        message: What the plan waits for, as people should read it.
        again_in: Seconds, or a `timedelta`, after which to ask again.

    Raises:
        TypeError: The message is not text, or `again_in` is not a time.
        ValueError: `again_in` is negative, or not finite.

    >>> Wait("the rollout of web has 2 of 3 pods", again_in=10)
    Wait('the rollout of web has 2 of 3 pods', again_in=10.0)

    """

    def __init__(self, message: str, again_in: float | timedelta | None = None) -> None:
        if not isinstance(message, str):
            raise TypeError(f"Wait: message must be text, not {message!r}")
        super().__init__(message)
        self.message = message
        self.again_in = None if again_in is None else seconds("Wait: again_in", again_in, zero=True, none=", or None")

    def __reduce__(self) -> tuple[type[Wait], tuple[str, float | None]]:
        return type(self), (self.message, self.again_in)

    def __repr__(self) -> str:
        again = "" if self.again_in is None else f", again_in={self.again_in}"
        return f"{type(self).__name__}({self.message!r}{again})"


def waits_of(error: BaseException) -> tuple[Wait, ...]:
    """Return the waits that an error stands for: itself, or those of a group that holds nothing else; else none."""
    if isinstance(error, Wait):
        return (error,)
    if not isinstance(error, BaseExceptionGroup):
        return ()
    found: list[Wait] = []
    pending = list(reversed(error.exceptions))
    while pending:
        current = pending.pop()
        if isinstance(current, BaseExceptionGroup):
            pending.extend(reversed(current.exceptions))
        elif isinstance(current, Wait):
            found.append(current)
        else:
            return ()
    return tuple(found)


def pause(sleep: float, waiting_runs: int) -> float:
    """Return the seconds until the next run after so many consecutive runs of waits alone, when no wait says when."""
    doubled = max(sleep, SHORTEST_PAUSE) * 2.0 ** min(max(waiting_runs, 1) - 1, 64)
    return max(sleep, min(doubled, LONGEST_PAUSE))
