"""The plan itself: look at the steps in order, and ask for the action of each whose check does not hold."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from execloop._engine.errors import FatalError
from execloop._engine.tasks import Task
from execloop._engine.waits import Wait
from execloop._plans.decorator import plan
from execloop.kube import ApiError
from execloop.library.http.errors import HttpError
from execloop.library.parts.context import keep_sections, part_of
from execloop.library.parts.tasks import named
from execloop.library.steps.changes import changes
from execloop.library.steps.errors import StepError
from execloop.library.steps.look.instance import NotYet, holds, instances, parameters_of
from execloop.library.steps.look.reading import Reading
from execloop.library.steps.model import MOST_INSTANCES, Parameters
from execloop.library.steps.names import read
from execloop.library.steps.owned import Owned, watched
from execloop.library.steps.plans import PLANS, ask
from execloop.library.steps.skips import Skips

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop._plans.context import Context
    from execloop.library.steps.look.instance import Instance
    from execloop.library.steps.model import Step

__all__ = ["Steps"]

_SHOWN = 5
_LONGEST_DETAIL = 1000


@plan("steps", parameters=Parameters)
class Steps:
    """Each step holds; one that does not is a task, and those that need it wait for it."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._parameters, self._context = parameters, context
        self._applied = tuple(watched(parameters, context))

    @property
    def watches(self) -> Sequence[tuple[str, ...]]:
        """What the steps apply, and the Jobs that they make."""
        jobs = any(step.do.job is not None for step in self._parameters.steps)
        return [*self._applied, *([("batch/v1", "Job")] if jobs else [])]

    @property
    def reads(self) -> Sequence[tuple[str, str, str, str]]:
        """Objects that steps read and do not apply."""
        return list(dict.fromkeys(each for each in read(self._parameters, self._context) if each not in self._applied))

    async def create(self) -> list[Task | Wait]:
        look = _Look(self._parameters, self._context)
        for step in self._parameters.ordered:
            await look.at(step)
        return look.result()

    async def teardown(self) -> list[Task | Wait]:
        """Delete what the steps applied, that of the last step first. What else they did stays."""
        return await Owned(self._parameters, self._context).deletions()


class _Look:
    """One look at all steps."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._context = context
        self._reading = Reading(parameters, context, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self._skips = Skips(parameters, context)
        self._holding: set[str] = set()
        self._labels: set[str] = set()
        self._unknown = {step.name for step in parameters.steps}
        self._found: list[Task | Wait] = []
        self._problems: list[str] = []

    async def at(self, step: Step) -> None:
        """Look at a step, if all that it needs hold."""
        if not self._holding.issuperset(step.needs):
            return
        if step in self._skips:
            self._holding.add(step.name)
            return
        found: list[Task | Wait] = []
        problems = len(self._problems)
        for instance in await self._instances(step, found):
            self._labels.add(instance.label)
            found += await self._instance(instance)
            await asyncio.sleep(0)  # expressions take time, and other plans are on this loop
        if not found and len(self._problems) == problems:
            self._holding.add(step.name)
        self._found += found

    async def _instances(self, step: Step, found: list[Task | Wait]) -> list[Instance]:
        try:
            listed = instances(step, await self._reading.listing(step))
        except NotYet as error:
            found.append(self._wait(step.name, str(error)))
            return []
        except (StepError, Wait) as error:
            self._problem(step.name, error)
            return []
        if len(self._labels) + len(listed) > MOST_INSTANCES:
            raise FatalError(f"{step.name}: with their items the steps are more than {MOST_INSTANCES}")
        self._unknown.discard(step.name)
        return listed

    async def _instance(self, instance: Instance) -> list[Task | Wait]:
        label = instance.label
        try:
            found = named(label, await self._wanted(instance), approval=instance.step.approval)
            return self._reading.veil.over(found)
        except NotYet as error:
            return [self._wait(label, str(error))]
        except Wait as wait:
            return [self._wait(label, wait.message, wait.again_in)]
        except FatalError as error:
            raise FatalError(self._reading.veil.text(f"{label}: {error}")) from None
        except (StepError, ApiError, HttpError, OSError) as error:
            self._problem(label, error)
            return []

    async def _wanted(self, instance: Instance) -> list[Task | Wait]:
        step, values = instance.step, await self._reading.values(instance)
        if step.check is not None and holds(instance, values):
            return []
        given = parameters_of(instance, step.raw, values)
        if step.do.wait is not None:
            return [Wait(str(given))]
        found = await self._asked(instance, given, values)
        if not found and step.check is not None:
            return [Wait(f"it is done, and its check does not hold yet: {step.check}")]
        return found

    async def _asked(self, instance: Instance, given: Any, values: dict[str, Any]) -> list[Task | Wait]:
        action, target = instance.step.do.action, instance.step.target
        if action in PLANS:
            return await ask(instance, given, self._context)
        assert target is not None
        part = part_of(self._context, instance.label)
        return list(changes(action, given, part, values["objects"].get(target)))

    def _is_current(self, label: str) -> bool:
        """Return whether a part is one of a step, or may be one: of a step that waits for others nothing is known."""
        name = label.partition("[")[0]
        return label in self._labels or name in self._unknown

    def _wait(self, label: str, message: str, again_in: float | None = None) -> Wait:
        return Wait(self._reading.veil.text(f"{label}: {message}"), again_in)

    def _problem(self, label: str, error: Exception) -> None:
        self._problems.append(self._reading.veil.text(f"{label}: {error}"))

    def result(self) -> list[Task | Wait]:
        """Return what is to be done. What one step has wrong keeps the others from nothing.

        Raises:
            StepError: Nothing else is to be done than to report what is wrong.

        """
        keep_sections(self._context.state, self._is_current)
        if not self._problems:
            return self._found
        if not any(isinstance(each, Task) for each in self._found):
            raise StepError(_listed(self._problems))
        return [*self._found, _Report(self._problems)]


class _Report(Task):
    """Fails, with what is wrong."""

    def __init__(self, problems: list[str]) -> None:
        self.name = f"report {len(problems)} {'step' if len(problems) == 1 else 'steps'} that cannot be looked at"
        self._message = _listed(problems)
        self.detail = self._message[:_LONGEST_DETAIL]

    def perform(self) -> None:
        raise StepError(self._message)


def _listed(problems: list[str]) -> str:
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more
