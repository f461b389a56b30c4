"""The models of what a step looks at: objects of the cluster, and answers of HTTP servers."""

from __future__ import annotations

from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from execloop._plans.duration import Duration
from execloop.library.cel.template import check_template
from execloop.library.http.parameters import Headers, Secret, Url
from execloop.library.steps.variables import PLACES

__all__ = ["Model", "Name", "Probe", "Reference"]

Name: TypeAlias = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$", max_length=40)]


class Model(BaseModel):
    """How all models of this plan are."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


def _place(text: Any) -> Any:
    check_template(text, PLACES)
    return text


class Reference(Model):
    """An object to read, or all objects with some labels."""

    api_version: str = Field(min_length=1, max_length=253)
    """As in a manifest."""
    kind: str = Field(min_length=1, max_length=253)
    """As in a manifest."""
    name: Annotated[str, AfterValidator(_place)] | None = Field(default=None, max_length=1000)
    """Its name. `${{ item }}` and `${{ values.NAME }}` may stand in it."""
    selector: Annotated[str, AfterValidator(_place)] | None = Field(default=None, max_length=1000)
    """In place of a name: labels, such as `app=web`. The variable is then a list, at most 500 objects."""
    namespace: Annotated[str, AfterValidator(_place)] | None = Field(default=None, max_length=1000)
    """Its namespace; without one the Plan's own."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.name is None) == (self.selector is None):
            raise ValueError("give either name or selector")
        return self


class Probe(Model):
    """A GET request, whatever its answer is. Its address is subject to the rules of the plan `http`."""

    url: Annotated[Url, AfterValidator(_place)]
    """What to ask. `${{ item }}` may stand in its path and query."""
    headers: Annotated[Headers, AfterValidator(_place)] = Field(default_factory=dict, max_length=50, repr=False)
    """Headers of the request."""
    username: Annotated[Secret, AfterValidator(_place)] | None = None
    """For Basic authentication, such as `${{ secrets.username }}`."""
    password: Annotated[Secret, AfterValidator(_place)] | None = Field(default=None, repr=False)
    """For Basic authentication."""
    token: Annotated[Secret, AfterValidator(_place)] | None = Field(default=None, repr=False)
    """A bearer token, such as `${{ secrets.token }}`."""
    ca: Annotated[Secret, AfterValidator(_place)] | None = None
    """Certificates in PEM that the server's must be signed by."""
    timeout: Duration = Duration("10s")
    """How long to wait for the answer."""
