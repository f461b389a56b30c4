"""Who may hold a Lease, and until when: the rules of client-go's leader election, without I/O.

Every candidate counts on its own monotonic clock, and compares no other machine's time. A holder counts from when it
*sent* its last successful write, for `deadline` seconds. The others count from when they *saw* the last write, for the
`duration` that the holder wrote down. Seeing comes after sending, so two never believe to hold it at once as long as
their clocks run at rates that differ by less than duration / deadline, which is 1.5 by default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Candidate", "Claim", "LeaseTimes"]


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds; the defaults are client-go's."""

    duration: float = 15.0
    """How long the others leave a Lease alone that is not renewed. Whole seconds: the API has no other."""
    deadline: float = 10.0
    """How long a holder that cannot renew continues."""
    retry: float = 2.0
    """From one renewal to the next."""

    def __post_init__(self) -> None:
        if not self.duration > self.deadline > self.retry > 0 or self.duration != int(self.duration):
            raise ValueError(f"a Lease needs duration > deadline > retry > 0, its duration whole seconds: {self}")

    @classmethod
    def lasting(cls, duration: int) -> LeaseTimes:
        """The rest in client-go's proportions."""
        return cls(duration, duration * 2 / 3, duration * 2 / 15)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a Lease says. `renewed` is never read as a time: only that it changed counts."""

    holder: str = ""
    """Empty when there is no holder."""
    duration: float = 0.0
    renewed: str = ""
    transitions: int = 0


class Candidate:
    """What one of them knows; times are seconds of its own monotonic clock."""

    def __init__(self, identity: str, times: LeaseTimes) -> None:
        self.identity, self.times = identity, times
        self.seen: Claim | None = None
        self._since = 0.0
        self._until = -math.inf

    def see(self, claim: Claim | None, now: float) -> None:
        """What the Lease says; None when there is none."""
        if claim != self.seen:
            self.seen, self._since = claim, now
        if claim is not None and claim.holder not in {"", self.identity}:
            self.give_up()

    def wait(self, now: float) -> float:
        """Seconds until it may try to take the Lease, or to renew it."""
        if self.seen is None or self.seen.holder in {"", self.identity}:
            return 0.0
        return max(0.0, self._since + self.seen.duration - now)

    def claim(self, renewed: str) -> Claim:
        """What to write: it must be refused by the server when the Lease has changed since it was seen."""
        if self.seen is None:
            return Claim(self.identity, self.times.duration, renewed)
        taken = self.seen.holder != self.identity
        return Claim(self.identity, self.times.duration, renewed, self.seen.transitions + taken)

    def release(self, renewed: str) -> Claim:
        """Return what to write to release it; from now on it is not held."""
        self.give_up()
        return Claim("", 1.0, renewed, self.seen.transitions if self.seen else 0)  # its duration must be positive

    def wrote(self, claim: Claim, sent: float) -> None:
        """The server took a claim that was sent at this time."""
        self.seen, self._since = claim, sent
        if claim.holder == self.identity:
            self._until = sent + self.times.deadline

    def give_up(self) -> None:
        self._until = -math.inf

    def left(self, now: float) -> float:
        """Seconds that it still holds the Lease, if nothing is written."""
        return self._until - now
