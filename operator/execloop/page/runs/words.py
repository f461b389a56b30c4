"""Why a run on this machine is as it is, and what to do: the same chain as for a Plan of a cluster. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from execloop.controller.status.explain import Explanation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.page.runs.picture import Picture

__all__ = ["explain"]

_ENDED: Final[Mapping[str, tuple[str, str]]] = {
    "ErrorsExceeded": ("has failed: more errors than are tolerated", "fix the cause, then run the command again"),
    "ExecutionTimeout": (
        "has failed: its time is over",
        "fix what is slow or raise executionTimeout, then run the command again",
    ),
    "FatalError": ("has failed: an error that no retry helps", "fix the cause, then run the command again"),
    "CreateFailed": ("has failed: create() raised an error", "fix the plan, then run the command again"),
    "Interrupted": ("was interrupted", "run the command again: the plan does what is left"),
    "Terminated": ("was terminated", "run the command again: the plan does what is left"),
}


def explain(name: str, run: Picture) -> tuple[str, Explanation]:
    """Return the state of a run in one word, and the explanation. `name`: of the plan."""
    if run.ended:
        if run.result == "Converged":
            return "Converged", Explanation(name, run.result, "has converged", "", "nothing to do")
        what, cure = _ENDED.get(run.result, _ENDED["FatalError"])
        return "Stalled", Explanation(name, run.result, what, run.why, cure)
    if run.again and run.error:
        cure = "fix the cause if it lasts; the plan is asked again until its budget of errors is spent"
        return "Retrying", Explanation(name, "TasksFailed", "tries again after errors of its tasks", run.error, cure)
    if run.again and run.waits:
        cure = "nothing to do if that comes; the plan is asked again"
        return "Waiting", Explanation(name, "Waiting", "waits, as its plan asks", "; ".join(run.waits), cure)
    cure = "nothing to do; the plan is asked again until it returns no task"
    return "Running", Explanation(name, "Progressing", "runs its tasks", "", cure)
