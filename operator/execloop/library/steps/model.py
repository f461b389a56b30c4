"""The parameters of the plan `steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from execloop._engine.errors import ParameterProblem
from execloop.library.cel.expression import LONGEST_EXPRESSION
from execloop.library.cel.field import compiles
from execloop.library.graph import circle_in, in_order
from execloop.library.http.parameters import Secret
from execloop.library.parts.parameters import misplaced
from execloop.library.steps.do import RESTARTABLE, Do
from execloop.library.steps.variables import ITEMS, VARIABLES, all_expressions, reads
from execloop.library.steps.world import Model, Name, Probe, Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MOST_INSTANCES", "MOST_ITEMS", "SECRETS", "Parameters", "Step"]

MOST_ITEMS = 100
"""Of one `forEach`."""
MOST_INSTANCES = 500
"""Of all steps together."""
SECRETS = ("username", "password", "token", "dsn", "ca")
_NEED_A_CHECK = {"restart", "wait"}


class Step(Model):
    """One step."""

    name: str = Field(pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=40)
    """Lower-case letters, digits and `-`."""
    check: Annotated[str, compiles(*VARIABLES, result=bool)] | None = Field(default=None, max_length=LONGEST_EXPRESSION)
    """CEL: whether the step holds. Without one the action says it: `apply` whether the objects are as written."""
    do: Do
    """What to do while it does not hold."""
    needs: tuple[str, ...] = Field(default=(), max_length=100)
    """Names of steps that must hold before this one is looked at."""
    for_each: (
        Annotated[list[Any], Field(max_length=MOST_ITEMS)] | Annotated[str, compiles(*ITEMS, result=list)] | None
    ) = None
    """A list, or a CEL expression that gives one: the step is there once for each `item`, at most 100 times."""
    objects: dict[Name, Reference] = Field(default_factory=dict, max_length=50)
    """Objects for this step alone. `item` may stand in their names."""
    probes: dict[Name, Probe] = Field(default_factory=dict, max_length=20)
    """Probes for this step alone. `item` may stand in their URLs."""
    approval: bool = False
    """Whether a person must approve before the action runs, whatever `spec.approval` says."""

    @property
    def expressions(self) -> list[str]:
        """Return those that may read objects and probes."""
        listed = self.for_each if isinstance(self.for_each, str) else ""
        return [self.check or "", listed, *all_expressions(getattr(self.do, self.do.action), self.raw)]

    @property
    def raw(self) -> Any:
        """Return the action as plain data."""
        value = getattr(self.do, self.do.action)
        return value.model_dump(by_alias=True) if isinstance(value, Model) else value

    @property
    def target(self) -> str | None:
        """Return the object that the action changes, by its name among `objects`."""
        value = getattr(self.do, self.do.action)
        return getattr(value, "target", None)


class Parameters(Model):
    """A procedure: what it looks at, and its steps."""

    steps: tuple[Step, ...] = Field(min_length=1, max_length=100)
    """The steps, in any order."""
    objects: dict[Name, Reference] = Field(default_factory=dict, max_length=100)
    """Objects that expressions read as `objects.NAME`. One that does not exist has no entry: `has(objects.NAME)`."""
    probes: dict[Name, Probe] = Field(default_factory=dict, max_length=50)
    """HTTP requests whose answers expressions read as `probes.NAME.status` and `probes.NAME.body`."""
    values: dict[str, Any] = Field(default_factory=dict, max_length=1000)
    """Values that expressions read as `values.NAME`."""
    username: Secret | None = Field(default=None, repr=False)
    """Expressions read it as `secrets.username`; it may come from a Secret, and so may the next four."""
    password: Secret | None = Field(default=None, repr=False)
    """`secrets.password`."""
    token: Secret | None = Field(default=None, repr=False)
    """`secrets.token`."""
    dsn: Secret | None = Field(default=None, repr=False)
    """`secrets.dsn`, for `do.sql`."""
    ca: Secret | None = None
    """`secrets.ca`."""

    @property
    def secrets(self) -> dict[str, str]:
        """Return those that are given."""
        return {name: value for name in SECRETS if (value := getattr(self, name)) is not None}

    @property
    def ordered(self) -> tuple[Step, ...]:
        """Return the steps so that each follows those it needs."""
        by_name = {step.name: step for step in self.steps}
        return tuple(by_name[name] for name in in_order({step.name: step.needs for step in self.steps}))

    def reference(self, step: Step, name: str) -> Reference | None:
        """Return what a step calls by this name."""
        return step.objects.get(name) or self.objects.get(name)

    @model_validator(mode="after")
    def _is_a_procedure(self) -> Self:
        if problems := [*self._problems(), *self._circles()]:
            raise misplaced("steps", problems)
        return self

    def _circles(self) -> Iterator[ParameterProblem]:
        names = {step.name for step in self.steps}
        circle = circle_in({step.name: names.intersection(step.needs) for step in self.steps})
        if circle:
            yield ParameterProblem(("steps",), f"the steps need each other in a circle: {circle}", "circle")
        fixed = sum(len(step.for_each) if isinstance(step.for_each, list) else 1 for step in self.steps)
        if fixed > MOST_INSTANCES:
            yield ParameterProblem(("steps",), f"with their items they are {fixed}: at most {MOST_INSTANCES}", "many")

    def _problems(self) -> Iterator[ParameterProblem]:
        names = [step.name for step in self.steps]
        for place, step in enumerate(self.steps):
            if step.name in names[:place]:
                yield ParameterProblem(("steps", place, "name"), f"two steps are called {step.name!r}", "twice")
            for need in step.needs:
                if need not in names:
                    yield ParameterProblem(("steps", place, "needs"), f"{need!r} is not a step", "unknown")
            for path, said in self._about(step):
                yield ParameterProblem(("steps", place, *path), said, "unknown")

    def _about(self, step: Step) -> Iterator[tuple[tuple[str, ...], str]]:
        action = step.do.action
        if step.check is None and action in _NEED_A_CHECK:
            yield ("check",), f"is missing: only a check says whether {action} is needed"
        for variable, known in (("objects", self.objects | step.objects), ("probes", self.probes | step.probes)):
            for name in sorted(reads(variable, step.expressions) - known.keys()):
                where = ("check",) if name in reads(variable, [step.check or ""]) else ("do", action)
                yield where, f"reads {variable}.{name}, which is not among {variable}"
        if step.target is not None:
            reference = self.reference(step, step.target)
            if reference is None:
                yield ("do", action, "target"), f"{step.target!r} is not among objects"
            elif action == "restart" and (reference.api_version, reference.kind) not in RESTARTABLE:
                yield ("do", action, "target"), f"a {reference.kind} cannot be restarted: give what makes its pods"
