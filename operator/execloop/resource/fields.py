"""The fields of a Plan as the API server returned it, whatever is missing in them."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

__all__ = ["API", "KIND", "Plan", "condition", "ended_executions", "key", "state", "status"]

Plan: TypeAlias = dict[str, Any]

API: Final = "execloop.dev/v1alpha1"
KIND: Final = "Plan"


def key(plan: Plan) -> tuple[str, str]:
    """Return namespace and name."""
    return plan["metadata"]["namespace"], plan["metadata"]["name"]


def status(plan: Plan) -> dict[str, Any]:
    """Return a Plan's status, empty before an operator wrote one."""
    found = plan.get("status")
    return found if isinstance(found, dict) else {}


def condition(plan: Plan, kind: str) -> dict[str, Any]:
    """Return a condition, empty when the Plan does not have it."""
    return next((one for one in status(plan).get("conditions") or () if one.get("type") == kind), {})


def state(plan: Plan) -> str:
    """Return the state in one word; `New` before an operator saw the Plan."""
    return str(status(plan).get("state") or ("New" if not status(plan).get("conditions") else "-"))


def ended_executions(plan: Plan) -> list[dict[str, Any]]:
    """Return the executions that ended, newest first, each with the fields of `status.history`.

    The last one is `status.execution` once it has ended. Earlier versions of the operator wrote it to the history too:
    it is returned once. A preview is none: it ran nothing.
    """
    before = [one for one in status(plan).get("history") or () if isinstance(one, dict)]
    last = status(plan).get("execution")
    if not isinstance(last, dict) or not last.get("finishedAt") or last.get("result") == "Previewed":
        return before
    if any(one.get("id") == last.get("id") for one in before):
        return before
    approval = last.get("approval")
    return [{**last, "approvedBy": approval.get("by") if isinstance(approval, dict) else None}, *before]
