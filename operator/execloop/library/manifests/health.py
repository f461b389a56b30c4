"""How an object is, and how that reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop.kube import Health, judge

if TYPE_CHECKING:
    from collections.abc import Iterable


__all__ = ["brief", "health_of"]

_SHOWN, _LONGEST = 5, 180


def health_of(live: dict[str, Any], *, wait: bool) -> Health:
    """Return the health of an object; without `wait` it is enough that it exists."""
    if not wait and "deletionTimestamp" not in live["metadata"]:
        return Health("Current", "it exists")
    return judge(live)


def brief(messages: Iterable[str]) -> str:
    """Return the first messages, each cut, and how many more there are."""
    every = [message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…" for message in messages]
    more = f"; and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return "; ".join(every[:_SHOWN]) + more
