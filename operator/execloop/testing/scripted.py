"""A plan that does what a script says, for tests of what drives or watches plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

from execloop._engine.tasks import Children, Task, task

__all__ = ["Deed", "ScriptedPlan", "Step"]

Deed: TypeAlias = "Exception | Iterable[str] | Mapping[str, Deed] | Callable[[], Any] | None"
"""What becomes of a task: nothing special, an error, children, or what a function does."""
Step: TypeAlias = "Exception | Iterable[str] | Mapping[str, Deed]"
"""What `create()` answers in one run: an error, or tasks by name."""


class ScriptedPlan:
    """One step a run; when the script is over it has converged.

        ScriptedPlan(["a", "b"], {"a": OSError("down")}, {"a": ["its", "children"]})

    asks for the tasks a and b, then for a, which fails, then for a again, which has two children. `performed` holds the
    names of the tasks in the order in which they were performed.
    """

    name = "scripted"

    def __init__(self, *script: Step) -> None:
        for step in script:
            if not isinstance(step, Exception):
                _check(step)
        self.script = script
        self.runs = 0
        self.performed: list[str] = []

    def create(self) -> Children:
        """Return the tasks of the next step, or raise its error."""
        self.runs += 1
        if self.runs > len(self.script):
            return None
        step = self.script[self.runs - 1]
        if isinstance(step, Exception):
            raise step
        return self._tasks(step)

    def _tasks(self, step: Deed) -> list[Task]:
        deeds = step.items() if isinstance(step, Mapping) else ((name, None) for name in cast("Iterable[str]", step))
        return [task(name, lambda name=name, deed=deed: self._perform(name, deed)) for name, deed in deeds]

    def _perform(self, name: str, deed: Deed) -> Children:
        self.performed.append(name)
        if deed is None:
            return None
        if isinstance(deed, Exception):
            raise deed
        return cast("Children", deed()) if callable(deed) else self._tasks(deed)


def _check(step: object) -> None:
    if isinstance(step, str) or not isinstance(step, Iterable):
        raise TypeError(f"a step is an exception, names of tasks, or a mapping of names to deeds, not {step!r}")
    for deed in step.values() if isinstance(step, Mapping) else ():
        if deed is not None and not isinstance(deed, Exception) and not callable(deed):
            _check(deed)
