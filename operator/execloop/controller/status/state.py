"""What the columns of a Plan show: its state in one word, and its errors beside its budget. Pure.

Code that writes a status calls `finished` last; the command and the page read the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from execloop.controller.api.v1alpha1 import PlanSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from execloop.controller.api.v1alpha1 import PlanStatus

__all__ = ["STATES", "StateName", "errors", "finished", "state"]

StateName: TypeAlias = Literal[
    "Converged",
    "Running",
    "Retrying",
    "Waiting",
    "NeedsApproval",
    "Stalled",
    "Suspended",
    "TearingDown",
    "Previewed",
]
STATES: Final[tuple[StateName, ...]] = get_args(StateName)

_ERRORS = frozenset({"TasksFailed", "CreateFailed"})
_RECONCILING: Mapping[str, StateName] = {
    "ApprovalRequired": "NeedsApproval",
    "Progressing": "Running",
    "Waiting": "Waiting",
}
_UNLIMITED = -1


def state(status: PlanStatus) -> StateName | None:
    """Return the word for a status, from its conditions alone; None while there are none."""
    reasons = {condition.type: condition.reason for condition in status.conditions}
    ready = reasons.get("Ready")
    if "Suspended" in reasons:
        return "Suspended"
    if "Stalled" in reasons:
        return "Stalled"
    if ready == "TearingDown":
        return "TearingDown"
    if (reconciling := reasons.get("Reconciling")) is not None:
        return _RECONCILING.get(reconciling) or ("Retrying" if ready in _ERRORS else "Waiting")
    if any(condition.type == "Ready" and condition.status == "True" for condition in status.conditions):
        return "Previewed" if ready == "Previewed" else "Converged"
    return None


def errors(status: PlanStatus, tolerated: int) -> str | None:
    """Return the errors of the execution of all that are tolerated, such as 2/5; without a budget their number."""
    if status.execution is None:
        return None
    count = status.execution.errors
    return str(count) if tolerated == _UNLIMITED else f"{count}/{tolerated}"


def finished(status: PlanStatus, spec: object) -> PlanStatus:
    """Return the status with its state and errors, as it is written. `spec`: as the API server holds it."""
    found = {"state": state(status), "errors": errors(status, _tolerated(spec))}
    unchanged = status.state == found["state"] and status.errors == found["errors"]
    return status if unchanged else status.model_copy(update=found)


def _tolerated(spec: object) -> int:
    """Return the budget of a spec, which may be wrong in any way."""
    found = spec.get("errorsToTolerate") if isinstance(spec, dict) else None
    return found if type(found) is int else int(PlanSpec.model_fields["errors_to_tolerate"].default)
