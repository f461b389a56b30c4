"""Actions that built-in plans do: `apply` is `manifests`, `job` is `jobs`, and `http` and `sql` are what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from execloop._engine.errors import FatalError, InvalidParameters
from execloop._engine.waits import Wait
from execloop.library.parts.context import part_of
from execloop.library.steps.do import plan_named
from execloop.library.steps.errors import StepError

if TYPE_CHECKING:
    from execloop._engine.tasks import Task
    from execloop._plans.context import Context
    from execloop.library.steps.look.instance import Instance

__all__ = ["PLANS", "ask"]

PLANS: Final = {"apply": "manifests", "job": "jobs", "http": "http", "sql": "sql"}


async def ask(instance: Instance, given: Any, context: Context) -> list[Task | Wait]:
    """Return what the plan of an action asks for; nothing when what it keeps true is true.

    Raises:
        FatalError: No further attempt can help.
        StepError: What the expressions gave does not fit the plan, or it could not look.
        Wait: It can do nothing at the moment.

    """
    action = instance.step.do.action
    definition = plan_named(PLANS[action])
    try:
        parsed = definition.parse(_parameters(instance, given))
    except InvalidParameters as error:
        problems = "; ".join(f"do.{action}: {str(each).removeprefix('parameters.')}" for each in error.problems)
        raise StepError(problems) from None
    # A Job of an earlier execution does not make the check hold in this one: it runs again.
    again = instance.step.check is not None or context.retry == instance.step.name
    retry = instance.step.name if action == "job" and again else ""
    plan: Any = definition.make(parsed, part_of(context, instance.label, retry=retry))
    try:
        found: list[Task | Wait] = await plan.create()
    except (FatalError, Wait):
        raise
    except Exception as error:  # of a database, say: what one step has wrong keeps the others from nothing
        raise StepError(str(error)) from error
    return found


def _parameters(instance: Instance, given: Any) -> dict[str, Any]:
    match instance.step.do.action:
        case "apply":
            return {"objects": given}
        case "job":
            job = {key: value for key, value in given.items() if value is not None}
            return {"steps": [{"name": instance.step.name, **job}]}
    return dict(given)
