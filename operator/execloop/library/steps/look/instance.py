"""A step, or a step for one item of its `forEach`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from execloop.library.cel.expression import CelError, MissingKey, compile_expression
from execloop.library.cel.template import filled_in
from execloop.library.steps.errors import StepError
from execloop.library.steps.model import MOST_ITEMS
from execloop.library.steps.variables import ITEMS, VARIABLES, reads

if TYPE_CHECKING:
    from execloop.library.steps.model import Step

__all__ = ["Instance", "NotYet", "holds", "instances", "parameters_of"]


class NotYet(Exception):
    """An expression reads what does not exist yet. The message names the place."""


class Instance(NamedTuple):
    """A step for one item, or the step itself."""

    step: Step
    position: int | None = None
    item: Any = None

    @property
    def label(self) -> str:
        """What messages and tasks call it."""
        return self.step.name if self.position is None else f"{self.step.name}[{self.position}]"


def instances(step: Step, values: dict[str, Any]) -> list[Instance]:
    """Return a step once for each of its items. Raises NotYet, StepError."""
    items = step.for_each
    if isinstance(items, str):
        items = _evaluated("forEach", items, ITEMS, list, values)
    if items is None:
        return [Instance(step)]
    if len(items) > MOST_ITEMS:
        raise StepError(f"forEach gives {len(items)} items: at most {MOST_ITEMS}")
    return [Instance(step, position, item) for position, item in enumerate(items)]


def holds(instance: Instance, values: dict[str, Any]) -> bool:
    """Return whether the check of a step holds.

    While an object that the check reads does not exist, it does not hold, unless it says otherwise (`!has(…)`).

    Raises:
        NotYet: An object that exists lacks what the check reads.
        StepError: The check gives no value for another reason.

    """
    check = instance.step.check
    assert check is not None
    try:
        return bool(_evaluated("check", check, VARIABLES, bool, values))
    except NotYet:
        if _whole(check, values):
            raise
        return False


def _whole(check: str, values: dict[str, Any]) -> bool:
    there: dict[str, Any] = values["objects"]
    return reads("objects", [check]) <= there.keys()


def parameters_of(instance: Instance, template: Any, values: dict[str, Any]) -> Any:
    """Return what the action of a step is with the values in place. Raises NotYet, StepError."""
    action = instance.step.do.action
    try:
        return filled_in(template, values)
    except MissingKey as error:
        raise NotYet(f"do.{action}: {error}") from None
    except CelError as error:
        raise StepError(f"do.{action}: {error}") from None


def _evaluated(field: str, text: str, variables: tuple[str, ...], result: type, values: dict[str, Any]) -> Any:
    try:
        return compile_expression(text, variables, result).evaluate(values)
    except MissingKey as error:
        raise NotYet(f"{field}: {error}") from None
    except CelError as error:
        raise StepError(f"{field}: {error}") from None
