"""The parameters of `manifests`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from execloop._engine.errors import ParameterProblem
from execloop._plans.duration import Duration
from execloop.library.manifests.wanted.documents import complete, documents
from execloop.library.manifests.wanted.files import MOST_OBJECTS
from execloop.library.manifests.wanted.ignored import Ignored
from execloop.library.manifests.wanted.readiness import ReadyWhen
from execloop.library.parts.parameters import misplaced

__all__ = ["CommonMetadata", "Parameters"]

Value = str | bool | int | float


def _distinct(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Refuse two entries for one object."""
    known: dict[tuple[str, str, str, str], int] = {}
    for index, manifest in enumerate(objects):
        metadata = manifest["metadata"]
        group = manifest["apiVersion"].rpartition("/")[0]
        place = group, manifest["kind"], metadata.get("namespace") or "", metadata["name"]
        if place in known:
            raise ValueError(f"entries {known[place]} and {index} are the same {manifest['kind']}; keep one of them")
        known[place] = index
    return objects


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class CommonMetadata(_Model):
    """Labels and annotations that every object gets; they replace its own of the same name."""

    labels: dict[str, str] = Field(default_factory=dict, description="Labels.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations.")


class Parameters(_Model):
    """What `manifests` applies, and how."""

    objects: Annotated[
        list[Annotated[dict[str, Any], AfterValidator(complete)]],
        BeforeValidator(documents),
        AfterValidator(_distinct),
    ] = Field(
        default_factory=list[dict[str, Any]],
        max_length=MOST_OBJECTS,
        description="Kubernetes objects: a list, or YAML text with one document after another. Without a namespace they"
        " go to the Plan's own. Required without `folder`.",
    )
    folder: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="A folder whose `.yaml`, `.yml` and `.json` files have objects, also in the folders within it. It"
        " is below one that the administrator allows with `--plan-folder`.",
    )
    prune: bool = Field(
        default=False,
        description="Whether an object that left the list is deleted, if it is still this Plan's and does not carry the"
        " annotation `execloop.dev/prune: disabled`.",
    )
    max_deletions: int = Field(
        default=10,
        ge=0,
        description="How many objects an execution prunes without asking; with one more, all of them wait for an"
        " approval.",
    )
    on_error: Literal["continue", "stop"] = Field(
        default="continue",
        description="`continue` applies what can be applied and then reports the rest; `stop` applies nothing while an"
        " object is refused.",
    )
    adopt: Literal["IfUnowned", "Never", "Force"] = Field(
        default="IfUnowned",
        description="Whether an object that exists already is taken over: `IfUnowned` unless a controller or another"
        " tool (Helm, Argo CD, Flux) manages it. An object of another Plan is never taken.",
    )
    recreate: bool = Field(
        default=False,
        description="Whether an object is deleted and made again when a field that cannot be changed differs.",
    )
    ignore: list[Ignored] = Field(
        default_factory=list[Ignored],
        max_length=100,
        description="Fields that others may change once the object exists, by kind and name.",
    )
    wait: bool = Field(
        default=True,
        description="Whether Ready means healthy by the rules of kstatus, and not only applied.",
    )
    ready_when: list[ReadyWhen] = Field(
        default_factory=list[ReadyWhen],
        max_length=100,
        description="When objects of other kinds are ready, by kind and name.",
    )
    substitute: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")], Value] = Field(
        default_factory=dict,
        description="Values that replace `${name}` in every text of the objects. `$${name}` keeps the text; the"
        " annotation `execloop.dev/substitute: disabled` keeps an object as it is.",
    )
    common_metadata: CommonMetadata = Field(
        default_factory=CommonMetadata, description="Labels and annotations for every object."
    )
    full_check_every: Duration = Field(
        default=Duration("1h"),
        description="How often every object is compared in full, though the watch says that nothing has changed.",
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.objects and self.folder is None:
            rule = "too_short" if "objects" in self.model_fields_set else "missing"
            raise misplaced("manifests", [ParameterProblem(("objects",), "give at least one, or a folder", rule)])
        return self
