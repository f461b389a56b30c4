"""The fields of a Plan as the API server returned it, whatever is missing in them."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

__all__ = ["API", "KIND", "Plan", "condition", "key", "state", "status"]

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
