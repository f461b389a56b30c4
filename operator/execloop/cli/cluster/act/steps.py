"""What `retry` and `skip` send about one step of a Plan's execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from execloop.cli.exits import Mistake
from execloop.resource import requests
from execloop.resource.fields import status

if TYPE_CHECKING:
    from execloop.cli.cluster.session import Plan, Session

__all__ = ["of_step"]


async def of_step(session: Session, plan: Plan, kind: str, step: str, reason: str | None) -> dict[str, Any]:
    """Return the patch for the execution at hand. Raises Mistake where there is none."""
    execution = (status(plan).get("execution") or {}).get("id")
    if execution is None:
        raise Mistake(f"Plan {plan['metadata']['name']} has no execution yet, and so no step")
    return requests.of_step(kind, step, execution, reason, await session.user())
