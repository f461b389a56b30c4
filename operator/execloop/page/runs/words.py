"""Why a run on this machine is as it is, and what to do: the same chain as for a Plan of a cluster. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from execloop.controller.status.explain import Explanation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def explain(
    name: str, ended: tuple[str, str] | None, *, asleep: bool, error: str, waits: Sequence[str]
) -> tuple[str, Explanation]:
    """Return the state in one word, and the explanation.

    Args:
        name: Of the plan.
        ended: The result and why, once it is over.
        asleep: Whether it waits for its next run.
        error: The last error of the last run, empty when that had none.
        waits: What the last run waits for.

    """
    if ended is not None:
        result, why = ended
        if result == "Converged":
            return "Converged", Explanation(name, result, "has converged", "", "nothing to do")
        what, cure = _ENDED.get(result, _ENDED["FatalError"])
        return "Stalled", Explanation(name, result, what, why, cure)
    if asleep and error:
        cure = "fix the cause if it lasts; the plan is asked again until its budget of errors is spent"
        return "Retrying", Explanation(name, "TasksFailed", "tries again after errors of its tasks", error, cure)
    if asleep and waits:
        cure = "nothing to do if that comes; the plan is asked again"
        return "Waiting", Explanation(name, "Waiting", "waits, as its plan asks", "; ".join(waits), cure)
    cure = "nothing to do; the plan is asked again until it returns no task"
    return "Running", Explanation(name, "Progressing", "runs its tasks", "", cure)
