"""Who follows runs while they happen: the live page, where the operator serves one. Else no event of a run is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._engine.events import Event
    from execloop._engine.execution import Outcome
    from execloop.controller.plancode.redaction.redactor import Redactor

__all__ = ["Audience"]


class Audience(Protocol):
    """Called in whatever thread. No method raises or blocks; what is shown of a text went through `redactor`."""

    def listener(self, uid: str, execution: str, redactor: Redactor) -> Callable[[Event], None]:
        """Return what takes the events of one run of a Plan."""

    def ended(self, uid: str, execution: str, redactor: Redactor, outcome: Outcome) -> None:
        """Take how a run ended."""

    def forget(self, uid: str) -> None:
        """Take that this process no longer cares for the Plan."""
