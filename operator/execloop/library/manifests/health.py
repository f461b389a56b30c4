"""How an object is, and how that reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop.kube import Health, kstatus
from execloop.library.manifests.wanted.order import FOUNDATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from execloop.library.manifests.wanted.readiness import ReadyWhen

__all__ = ["HealthCheck", "brief"]

_SHOWN, _LONGEST = 5, 180
_JOB = "batch/v1", "Job"


class HealthCheck:
    """Says how an object is: by an expression where one is given for it, else by the rules of kstatus.

    A Job is an exception: to kstatus it is as it should be once it has started, and here once it is complete, since
    what comes after it needs what it did. Without `wait` it is enough that an object exists, except for what others
    need in order to be.
    """

    def __init__(self, rules: Sequence[ReadyWhen], *, wait: bool) -> None:
        self._rules, self._wait = rules, wait

    @property
    def basis(self) -> str:
        """Return what identifies the rules: with other rules a remembered health does not count."""
        return repr((self._wait, self._rules))

    def of(self, live: dict[str, Any]) -> Health:
        """Return the health of an object as the server returned it."""
        if "deletionTimestamp" in live["metadata"] or live["kind"] in FOUNDATIONS:
            return kstatus.compute(live)
        if not self._wait:
            return Health("Current", "it exists")
        rule = next((one for one in self._rules if one.fits(live)), None)
        return _completed(live, kstatus.compute(live)) if rule is None else rule.health_of(live)


def _completed(live: dict[str, Any], health: Health) -> Health:
    if health.state != "Current" or (live.get("apiVersion"), live["kind"]) != _JOB or live["spec"].get("suspend"):
        return health
    conditions = (live.get("status") or {}).get("conditions") or ()
    complete = any(one.get("type") == "Complete" and one.get("status") == "True" for one in conditions)
    return health if complete else Health("InProgress", "the Job is not complete yet")


def brief(messages: Iterable[str]) -> str:
    """Return the first messages, each cut, and how many more there are."""
    every = [message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…" for message in messages]
    more = f"; and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return "; ".join(every[:_SHOWN]) + more
