"""The Plans under suspicion of having ended a process: when each may run, and which may no more.

The controller asks it before a reconcile begins, `Runs` before plan code runs, and `PlanHost` notes each call here.
Use it on one event loop.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from execloop.controller.plancode.crashes.suspicion import CRASHES, Call, turn_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from execloop.controller.plancode.crashes.journal import Journal, Note
    from execloop.controller.plancode.crashes.suspicion import Suspicion

__all__ = ["PLAN_CRASHES", "PlanCrashes", "Suspects"]

PLAN_CRASHES: Final = "PlanCrashes"
"""The reason of the condition, and the result of the execution."""

_PATIENCE = 30.0
"""Seconds that a suspect waits for the other Plans to be done."""


class PlanCrashes(Exception):
    """A Plan's code has ended the process too often to run again with the same inputs."""

    def __init__(self) -> None:
        super().__init__(f"its code ended the operator's process {CRASHES} times in a row")


class _Waiting(NamedTuple):
    key: Hashable
    since: float


class Suspects:
    """Suspects run after the other Plans and one at a time, the least suspect first.

    A turn ends with its reconcile, or when it has lasted long enough to believe that the plan does no harm. A
    reconcile whose plan code has ended clears its Plan; `changed` is then called, so that it is written down.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._journal, self._clock, self._changed = journal, clock, changed
        self._known: dict[str, Suspicion] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._turn, self._until = "", 0.0
        self._admitted: dict[Hashable, Call] = {}
        self._ran: set[Hashable] = set()
        """Keys whose plan code ran in the reconcile under way."""
        self._running: dict[Hashable, list[Note]] = {}
        """Calls of each key that have not ended."""
        self.cleared: set[str] = set()
        """Uids that are to be taken out of what is written down."""

    def __contains__(self, uid: str) -> bool:
        return uid in self._known

    def __len__(self) -> int:
        return len(self._known)

    def load(self, known: Mapping[str, Suspicion]) -> None:
        """Take over what is written down, but for those that were cleared here since."""
        self._known = {uid: suspicion for uid, suspicion in known.items() if uid not in self.cleared}

    # -- turns

    def may_begin(self, key: Hashable, uid: str) -> bool:
        """Return whether a reconcile may begin; else it waits until `next` returns its key."""
        if uid not in self._known or uid == self._turn:
            return True
        self._waiting.setdefault(uid, _Waiting(key, self._clock()))
        return False

    @property
    def waits(self) -> bool:
        """Return whether any suspect waits for its turn."""
        return bool(self._waiting)

    def next(self, *, busy: bool) -> Hashable | None:
        """Return whose turn begins now, if any. `busy`: other Plans are due or at work."""
        now = self._clock()
        if self._turn and now < self._until:
            return None
        self._hand("")
        ready = [uid for uid, waiting in self._waiting.items() if not busy or now - waiting.since >= _PATIENCE]
        if not ready:
            return None
        uid = min(ready, key=self._rank)
        if uid in self._known:
            self._hand(uid)
            self._until = now + turn_seconds(self._known[uid])
        return self._waiting.pop(uid).key

    def _rank(self, uid: str) -> tuple[int, int]:
        suspicion = self._known.get(uid)  # another process may have cleared it meanwhile
        return (-1, 0) if suspicion is None else suspicion.rank

    def _hand(self, uid: str) -> None:
        if uid != self._turn:
            self._turn = uid
            self._journal.turn(uid)

    # -- plan code

    def refusal(self, key: Hashable, uid: str, inputs: str) -> PlanCrashes | None:
        """Return why plan code must not run with these inputs; None when it may, and is about to."""
        suspicion = self._known.get(uid)
        if suspicion is not None and suspicion.refused(inputs):
            return PlanCrashes()
        self._admitted[key] = Call(uid, str(key), inputs)
        return None

    def note(self, key: Hashable) -> Callable[[], None]:
        """Note a call of plan code that begins; return what says that it has ended."""
        admitted = self._admitted.get(key)
        if admitted is None:
            return lambda: None
        note = self._journal.note(admitted)
        self._ran.add(key)
        self._running[key] = [*self._running.get(key, ()), note]

        def ended() -> None:
            note()
            self._running[key].remove(note)
            if not self._running[key]:
                del self._running[key]

        return ended

    def left(self, key: Hashable, tasks: int) -> None:
        """Note how many tasks the plan of a key returned; from any thread."""
        admitted = self._admitted.get(key)
        if admitted is not None:
            self._admitted[key] = admitted._replace(left=tasks)
        for note in self._running.get(key, ())[-1:]:
            note.left(tasks)

    def ended(self, key: Hashable, uid: str) -> None:
        """A reconcile has ended, and with it the turn; plan code that ran and has ended clears its Plan."""
        if uid == self._turn:
            self._hand("")
        self._admitted.pop(key, None)
        ran = key in self._ran
        self._ran.discard(key)
        if ran and key not in self._running:
            self._clear(uid)

    def forget(self, uid: str) -> None:
        """The Plan is gone."""
        self.give_up(uid)
        self._clear(uid)

    def give_up(self, uid: str) -> None:
        """The Plan is another process's from now on, which has to know what it is suspected of."""
        if uid == self._turn:
            self._hand("")
        self._waiting.pop(uid, None)

    def forget_those(self, gone: Callable[[str], bool]) -> None:
        """Forget the Plans of which `gone` says that they no longer exist."""
        for uid in tuple(self._known):
            if gone(uid):
                self.forget(uid)

    def _clear(self, uid: str) -> None:
        if self._known.pop(uid, None) is not None:
            self.cleared.add(uid)
            self._changed()
