"""The parameters of the plan `includes`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

__all__ = ["Include", "Parameters"]

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
