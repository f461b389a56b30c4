"""Which failed requests are sent again, and when.

`Connection` asks after each failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from execloop.kube.errors import ApiError

__all__ = ["pause_before_retry"]

_THROTTLED = frozenset({429, 503})
_THROTTLED_RETRIES = 3
_LONGEST_PAUSE = 10.0


def pause_before_retry(error: ApiError, *, repeatable: bool, failures: int) -> float | None:
    """Seconds to wait, None when the error is the caller's.

    What the server throttled and names a time for goes again three times at most; what a broken connection lost, once,
    and only when it is `repeatable`: it is unknown whether the server acted on it. `failures` came before this one.
    """
    if error.reason == "Disconnected":
        return 0.0 if repeatable and not failures else None
    if error.status in _THROTTLED and error.retry_after is not None and failures < _THROTTLED_RETRIES:
        return min(error.retry_after, _LONGEST_PAUSE)
    return None
