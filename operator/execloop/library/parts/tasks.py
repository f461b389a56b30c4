"""The tasks and waits of a part, with its name before theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execloop._engine.tasks import SKIP, Task, detail_of, modes, needs_approval, task
from execloop._engine.waits import Wait

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["named"]


def named(part: str, found: Iterable[Task | Wait], *, approval: bool = False) -> list[Task | Wait]:
    """Return what a part asked for, under its name. `approval`: its tasks need one, whatever they say."""
    return [
        Wait(f"{part}: {each.message}", each.again_in) if isinstance(each, Wait) else _named(part, each, approval)
        for each in found
    ]


def _named(part: str, one: Task, approval: bool) -> Task:
    pre, _, post = modes(one)
    phases = {name: phase for name, phase, mode in (("pre", one.pre, pre), ("post", one.post, post)) if mode != SKIP}
    made = task(f"{part}: {one.name}", one.perform, **phases)
    made.detail = detail_of(one)  # type: ignore[attr-defined]  # of a FunctionTask
    made.approval = approval or needs_approval(one)  # type: ignore[attr-defined]
    return made
