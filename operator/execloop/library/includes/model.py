"""The parameters of the plan `includes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

from execloop._engine.errors import InvalidParameters, ParameterProblem, PlanError
from execloop._plans.definition import PLANS
from execloop.library.parts.parameters import misplaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from execloop._plans.definition import Definition

__all__ = ["DEEPEST", "Include", "Included", "Parameters", "placed"]

DEEPEST: Final = 3
"""Includes within includes: their names together are the value of a label."""

Secret: TypeAlias = Annotated[str, Field(max_length=65536)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class Include(_Model):
    """One plan."""

    name: str = Field(pattern="^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=20)
    """What tasks, messages and the inventory call it. Another name makes it another include."""
    plan: str = Field(min_length=1, max_length=253)
    """The name of a plan that this Plan's namespace may use."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Its parameters, checked by its own model."""
    secrets: tuple[Literal["username", "password", "token", "dsn", "ca"], ...] = ()
    """Which of the secrets below it gets, as parameters of the same name."""


class Included(NamedTuple):
    """The plan of an include, and the parameters as its model made them."""

    definition: Definition
    parameters: Any


@dataclass(frozen=True)
class _Within:
    """Other plans by name, for an include at some depth."""

    plans: Callable[[str], Definition]
    depth: int = 0

    def __call__(self, name: str) -> Definition:
        return self.plans(name)


class Parameters(_Model):
    """Plans, and their order."""

    includes: tuple[Include, ...] = Field(min_length=1, max_length=50)
    """The plans."""
    order: Literal["sequence", "parallel"] = "sequence"
    """`sequence`: each is asked once all before it have nothing left to do. `parallel`: all at once."""
    prune: bool = False
    """Whether objects of an include that left the list are deleted, if it kept an inventory of them."""
    username: Secret | None = Field(default=None, repr=False)
    """For the includes that name it in `secrets`; it may come from a Secret, and so may the next four."""
    password: Secret | None = Field(default=None, repr=False)
    """The same."""
    token: Secret | None = Field(default=None, repr=False)
    """The same."""
    dsn: Secret | None = Field(default=None, repr=False)
    """The same."""
    ca: Secret | None = Field(default=None, repr=False)
    """The same."""

    def given(self, include: Include) -> dict[str, Any]:
        """Return the parameters of an include, with its secrets."""
        secrets: dict[str, Any] = {
            name: value for name in include.secrets if (value := getattr(self, name)) is not None
        }
        return {**include.parameters, **secrets}

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [include.name for include in self.includes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two includes are called {twice[0]!r}")
        return self

    _included: tuple[Included, ...] = PrivateAttr(())

    @property
    def included(self) -> tuple[Included, ...]:
        """Return the plans, one for each include, if they were known when the parameters were checked."""
        return self._included

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo) -> Self:
        plans = (info.context or {}).get(PLANS)
        if plans is not None:
            within = plans if isinstance(plans, _Within) else _Within(plans)
            problems: list[ParameterProblem] = []
            found: list[Included | None] = []
            if within.depth < DEEPEST:
                found = [self._of(place, within, problems) for place in range(len(self.includes))]
            else:
                problems = [ParameterProblem(("includes",), f"includes are nested deeper than {DEEPEST}", "depth")]
            if problems:
                raise misplaced("includes", problems)
            self._included = tuple(each for each in found if each is not None)
        return self

    def _of(self, place: int, within: _Within, problems: list[ParameterProblem]) -> Included | None:
        include = self.includes[place]
        try:
            definition = within(include.plan)
            deeper = _Within(within.plans, within.depth + 1)
            return Included(definition, definition.parse(self.given(include), plans=deeper))
        except InvalidParameters as error:
            problems += placed(error, place).problems
        except PlanError as error:
            problems.append(ParameterProblem(("includes", place, "plan"), str(error), "plan"))
        return None


def placed(error: InvalidParameters, place: int) -> InvalidParameters:
    """Return what is wrong with the parameters of an include, with its place among the includes."""
    where = ("includes", place, "parameters")
    return InvalidParameters.of(each._replace(location=(*where, *each.location)) for each in error.problems)
