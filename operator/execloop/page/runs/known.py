"""What one process knows of the runs of a Plan, and where else to look."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from execloop.resource.fields import status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from execloop.page.runs.recent import Executed, Recent
    from execloop.resource.fields import Plan

__all__ = ["Elsewhere", "Known", "KnownRuns"]

Elsewhere: TypeAlias = "Callable[[str, str, str], str | None]"
"""Takes namespace, name and uid of a Plan. Returns None when this process reconciles it, else the holder of the Lease
that it comes under; that is empty where it is not known."""

_NOT_HERE: Final = "This replica does not reconcile this Plan, so it does not know its tasks."


@dataclass(frozen=True, slots=True)
class Known:
    """The executions of a Plan that this process has run, the newer first; or why none is shown, and what to do."""

    executions: Sequence[Executed] = ()
    why: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class KnownRuns:
    """`recent`: None in a process that reconciles nothing."""

    recent: Recent | None
    elsewhere: Elsewhere
    port: int = 0
    """That of the page, on each replica."""

    @classmethod
    def none(cls) -> KnownRuns:
        """Return those of a process that reconciles nothing."""
        return cls(None, lambda *_: "")

    def version(self, uid: str) -> int:
        return 0 if self.recent is None else self.recent.version(uid)

    async def newer(self, uid: str, version: int) -> None:
        """Return when the version of a Plan's runs is another one; never where there are none."""
        if self.recent is None:
            await asyncio.Event().wait()
        else:
            await self.recent.newer(uid, version)

    def of(self, plan: Plan) -> Known:
        """Return what is known of the runs of a Plan, as a person has read it from the API server."""
        metadata, execution = plan["metadata"], status(plan).get("execution")
        uid = str(metadata["uid"])
        holder = self.elsewhere(str(metadata["namespace"]), str(metadata["name"]), uid)
        if self.recent is None or holder is not None:
            return self._elsewhere(holder or "")
        if found := self.recent.of(uid):
            return Known(found)
        if not isinstance(execution, dict) or not execution.get("runs"):
            return Known(why="No task has run yet.")
        return Known(
            why="The tasks of this execution are not known. They are kept in memory only: they ran before this process "
            f"began to reconcile the Plan, or before those of the last {self.recent.most} Plans.",
            next="nothing to do; the next execution is shown here",
        )

    def _elsewhere(self, holder: str) -> Known:
        if not holder:
            return Known(why=_NOT_HERE, next="open the page of the replica that does; its Lease names it")
        pod = holder.rpartition("_")[0] or holder
        forward = f"open its page: `kubectl port-forward pod/{pod} {self.port}` in the operator's namespace"
        return Known(why=f"{_NOT_HERE} The replica `{pod}` does, and shows them.", next=forward)
