"""The Plans under suspicion of having ended a process: when each may run, and which may no more.

The controller asks it before a reconcile begins, the reconciler before plan code runs. Use it on one event loop.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from execloop.controller.plancode.suspicion import CRASHES, turn_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from execloop.controller.plancode.journal import Journal
    from execloop.controller.plancode.suspicion import Suspicion

__all__ = ["Suspects"]

_PATIENCE = 30.0
"""Seconds that a suspect waits for the other Plans to be done."""


class Suspects:
    """Suspects run after the other Plans and one at a time, the least suspect first.

    A turn ends with its reconcile, or when it has lasted long enough to believe that the plan does no harm.
    `changed` is called when somebody was cleared, so that it is written down.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._journal, self._clock, self._changed = journal, clock, changed
        self._known: dict[str, Suspicion] = {}
        self._waiting: dict[str, float] = {}
        self._turn, self._until = "", 0.0
        self.cleared: set[str] = set()
        """Uids that are to be taken out of what is written down."""

    def __contains__(self, uid: str) -> bool:
        return uid in self._known

    def __len__(self) -> int:
        return len(self._known)

    def load(self, known: Mapping[str, Suspicion]) -> None:
        """Take over what is written down, but for those that were cleared here since."""
        self._known = {uid: suspicion for uid, suspicion in known.items() if uid not in self.cleared}
        self._waiting = {uid: since for uid, since in self._waiting.items() if uid in self._known}

    # -- turns

    def may_begin(self, uid: str) -> bool:
        """Whether a reconcile may begin; else it waits until `next` returns it."""
        if uid not in self._known or uid == self._turn:
            return True
        self._waiting.setdefault(uid, self._clock())
        return False

    def next(self, *, busy: bool) -> str | None:
        """Return whose turn begins now, if any. `busy`: Plans above suspicion are due or at work."""
        now = self._clock()
        if self._turn and now < self._until:
            return None
        self._hand("")
        patient = [uid for uid, since in self._waiting.items() if not busy or now - since >= _PATIENCE]
        if not patient:
            return None
        uid = min(patient, key=lambda uid: self._known[uid].rank)
        del self._waiting[uid]
        self._hand(uid)
        self._until = now + turn_seconds(self._known[uid])
        return uid

    def ended(self, uid: str) -> None:
        """A reconcile has ended, and with it the turn."""
        if uid == self._turn:
            self._hand("")

    def _hand(self, uid: str) -> None:
        if uid != self._turn:
            self._turn = uid
            self._journal.turn(uid)

    # -- verdicts

    def refusal(self, uid: str, inputs: str) -> str | None:
        """Return why plan code must not run with these inputs; None when it may."""
        suspicion = self._known.get(uid)
        if suspicion is None or not suspicion.refused(inputs):
            return None
        return (
            f"its plan's code ended the operator's process {CRASHES} times in a row; "
            "change its inputs or the plan's code, or set the annotation execloop.dev/requestedAt, to run it again"
        )

    def completed(self, uid: str) -> None:
        """A run has completed: nothing is held against the Plan any more."""
        if self._known.pop(uid, None) is not None:
            self._waiting.pop(uid, None)
            self.cleared.add(uid)
            self._changed()

    def forget(self, uid: str) -> None:
        """The Plan is gone."""
        self.completed(uid)
        self.ended(uid)
