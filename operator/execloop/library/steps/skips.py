"""Steps that a person takes as done, in `context.state`: as long as the step stays as it was written then."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from execloop._plans.context import Context
    from execloop.library.steps.model import Parameters, Step

__all__ = ["Skips"]

_STATE = "skips"


class Skips:
    """What `execloop skip` asked of this Plan; `execloop retry` of the same step takes it back."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._state = context.state
        steps = {step.name: step for step in parameters.steps}
        asked = context.skip or context.retry
        if asked and asked not in steps:
            context.logger.warning("an annotation names %r, which is not a step of this Plan", asked)
        kept = {name: key for name, key in self._kept.items() if name in steps and name != context.retry}
        if context.skip in steps:
            kept[context.skip] = _key(steps[context.skip])
        if kept:
            self._state[_STATE] = kept
        else:
            self._state.pop(_STATE, None)

    @property
    def _kept(self) -> dict[str, str]:
        kept: dict[str, str] = self._state.get(_STATE, {})
        return kept

    def __contains__(self, step: Step) -> bool:
        return self._kept.get(step.name) == _key(step)


def _key(step: Step) -> str:
    return hashlib.blake2b(step.model_dump_json().encode(), digest_size=5).hexdigest()
