"""What a task says of itself, read where plan code runs: its name and its detail may be computed.

`runner.observe` reads it from what `create()` returned, `TaskApproval` from the tasks of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from execloop._engine.tasks import detail_of, needs_approval

if TYPE_CHECKING:
    from execloop._engine.tasks import AnyTask

__all__ = ["Asked", "ask"]


@dataclass(frozen=True, slots=True)
class Asked:
    name: str
    detail: str = ""
    approval: bool = False
    """Whether the task asks for an approval of its own."""
    error: Exception | None = None
    """Why its detail cannot be read."""


def ask(task: AnyTask) -> Asked:
    """Return what a task says of itself."""
    name, approval = str(task.name), needs_approval(task)
    try:
        return Asked(name, detail_of(task), approval)
    except Exception as error:  # noqa: BLE001 - an attribute of the plan's author
        return Asked(name, "", approval, error)
