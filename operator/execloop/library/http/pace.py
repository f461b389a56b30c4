"""How soon a server may be asked again: its Retry-After and its rate limits, kept for all Plans of this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Pace", "seconds_to_wait"]

_LONGEST: Final = 3600.0
_UNSAID: Final = 30.0
_KEPT: Final = 1024
_EPOCH: Final = 1e9
"""Above it a reset is a time, below it a number of seconds: servers have both."""
_BUSY: Final = (429, 503)


class Pace:
    """`key` is a server together with a credential: one tenant's limit does not hold for another."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._until: OrderedDict[str, float] = OrderedDict()

    def left(self, key: str) -> float:
        """Return the seconds until the server may be asked; 0 for at once."""
        with self._lock:
            return max(0.0, self._until.get(key, 0.0) - self._monotonic())

    def keep(self, key: str, seconds: float) -> None:
        """Note that the server may not be asked for so long."""
        if seconds > 0:
            with self._lock:
                self._until[key] = self._monotonic() + seconds
                self._until.move_to_end(key)
                while len(self._until) > _KEPT:
                    self._until.popitem(last=False)


def seconds_to_wait(status: int, headers: Mapping[str, str], now: float) -> float:
    """Return how long an answer asks its client to wait: at most an hour; 0 when it does not.

    >>> seconds_to_wait(429, {"Retry-After": "7"}, now=0)
    7.0

    """
    if status in _BUSY:
        return _bounded(_retry_after(headers.get("Retry-After", ""), now))
    for prefix in ("RateLimit", "X-RateLimit"):
        if headers.get(f"{prefix}-Remaining", "").strip() == "0":
            reset = _number(headers.get(f"{prefix}-Reset", ""))
            return 0.0 if reset is None else _bounded(reset - now if reset > _EPOCH else reset)
    return 0.0


def _retry_after(text: str, now: float) -> float:
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return _UNSAID
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - datetime.fromtimestamp(
        now, UTC
    ).timestamp()


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if text.isdecimal() and len(text) < 16 else None  # noqa: PLR2004 - digits that a time may have


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST)
