"""Alarms: one daemon thread that calls functions at their time, however many are set.

Not timers of an event loop: code that blocks its loop would block the alarm with it. The system's clock sets them.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Alarms"]

_IDLE_SECONDS = 10.0
_SLACK = 50


@dataclass(order=True, slots=True)
class _Alarm:
    due: float
    number: int
    callback: Callable[[], None] | None = field(compare=False)
    """None once it is called off."""


class Alarms:
    """Callbacks must be quick and raise nothing: one that blocks delays the others."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._forget()
        _instances.add(self)

    def _forget(self) -> None:
        self._changed = threading.Condition()
        self._alarms: list[_Alarm] = []
        self._called_off = 0
        self._served = False

    def set(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after so long; return what calls it off."""
        alarm = _Alarm(time.monotonic() + seconds, next(self._numbers), callback)
        with self._changed:
            heapq.heappush(self._alarms, alarm)
            if not self._served:
                threading.Thread(target=self._serve, name="execloop-alarms", daemon=True).start()
                self._served = True
            elif self._alarms[0] is alarm:
                self._changed.notify()
        return lambda: self._call_off(alarm)

    def _call_off(self, alarm: _Alarm) -> None:
        with self._changed:
            if alarm.callback is None:
                return
            alarm.callback = None
            self._called_off += 1
            if self._called_off > len(self._alarms) // 2 + _SLACK:
                self._alarms = [other for other in self._alarms if other.callback is not None]
                heapq.heapify(self._alarms)
                self._called_off = 0

    def _serve(self) -> None:
        while True:
            with self._changed:
                if not self._alarms and not self._changed.wait(_IDLE_SECONDS) and not self._alarms:
                    self._served = False
                    return
                callback = self._due()
            if callback is not None:
                callback()

    def _due(self) -> Callable[[], None] | None:
        """Wait for the next alarm, or for a change: the callback to call now, if there is one."""
        if not self._alarms:
            return None
        alarm = self._alarms[0]
        if alarm.callback is not None and (left := alarm.due - time.monotonic()) > 0:
            self._changed.wait(min(left, threading.TIMEOUT_MAX))
            return None
        heapq.heappop(self._alarms)
        callback, alarm.callback = alarm.callback, None
        self._called_off -= callback is None
        return callback


_instances: weakref.WeakSet[Alarms] = weakref.WeakSet()


def _after_fork() -> None:
    """A child process has none of its parent's threads."""
    for alarms in _instances:
        alarms._forget()  # noqa: SLF001 - this module's own class


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
