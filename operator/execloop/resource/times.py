"""Times as people read them: how long ago, as kubectl says it."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["age", "moment", "span"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def span(seconds: float) -> str:
    """Return a length of time in one or two units, as kubectl does: `45s`, `4m`, `3h20m`, `2d`."""
    whole = max(0, int(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 2 * _DAY:
        hours, rest = divmod(whole, _HOUR)
        return f"{hours}h{rest // _MINUTE}m" if rest >= _MINUTE and hours < 10 else f"{hours}h"  # noqa: PLR2004 - two figures
    return f"{whole // _DAY}d"


def moment(text: object) -> datetime | None:
    """Return the time that a field of a resource says; None for what is not a time."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def age(text: object, now: datetime | None = None) -> str:
    """Return how long ago a resource's time is, `-` for none; `in 20s` for one to come."""
    found = moment(text)
    if found is None:
        return "-"
    seconds = ((now or datetime.now(UTC)) - found).total_seconds()
    return span(seconds) if seconds >= 0 else f"in {span(-seconds)}"
