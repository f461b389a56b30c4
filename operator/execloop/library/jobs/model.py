"""The parameters of the plan `jobs`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from execloop._plans.duration import Duration
from execloop.library.cel.field import compiles
from execloop.library.cel.template import check_template
from execloop.library.graph import before, circle_in, in_order

__all__ = ["MOST_INSTANCES", "VARIABLES", "Compensation", "ConfigMapOutput", "Parameters", "Step"]

MOST_INSTANCES = 1000
"""Jobs of all steps together, of which the status can keep what became of them."""
VARIABLES = ("steps", "item", "index", "plan")
_STEPS = re.compile(r"\bsteps\.([A-Za-z_]\w*)|\bsteps\[\s*['\"]([^'\"]*)['\"]\s*\]")


def _pod(template: dict[str, Any]) -> dict[str, Any]:
    spec, metadata = template.get("spec"), template.get("metadata") or {}
    labelled = isinstance(metadata, dict) and isinstance(metadata.get("labels") or {}, dict)
    _require(labelled, "metadata and metadata.labels must be mappings")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    whole = isinstance(containers, list) and bool(containers)
    _require(whole, "needs spec.containers, a list of at least one container, as the template of a Job has it")
    assert isinstance(spec, dict)
    for field in ("containers", "initContainers"):
        _check_containers(field, spec.get(field) or [])
    _require(isinstance(spec.get("securityContext") or {}, dict), "spec.securityContext must be a mapping")
    check_template(template, VARIABLES)
    return template


def _check_containers(field: str, containers: Any) -> None:
    listed = isinstance(containers, list) and all(isinstance(each, dict) for each in containers)
    _require(listed, f"spec.{field} must be a list of mappings")
    for place, container in enumerate(containers):
        for name in ("name", "image"):
            given = container.get(name)
            _require(isinstance(given, str) and bool(given), f"spec.{field}[{place}].{name} is missing")
        security = container.get("securityContext") or {}
        _require(isinstance(security, dict), f"spec.{field}[{place}].securityContext must be a mapping")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


PodTemplate = Annotated[dict[str, Any], AfterValidator(_pod)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class ConfigMapOutput(_Model):
    config_map: str = Field(min_length=1, max_length=253)
    """The ConfigMap that the step writes, in the Plan's namespace. Its `data` is the output."""


class Compensation(_Model):
    template: PodTemplate
    """The pod that undoes the step, as in `template` of the step."""
    timeout: Duration | None = None
    """How long it may take."""


class Step(_Model):
    name: str = Field(pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=40)
    """Lower-case letters, digits and `-`."""
    template: PodTemplate
    """The template of the Job's pod. `${{ … }}` in its texts is a CEL expression."""
    depends_on: tuple[str, ...] = ()
    """Names of steps that end first."""
    when: Annotated[str, compiles("steps", "plan", result=bool)] | None = None
    """A CEL expression over the results of earlier steps; the step is skipped when it is false."""
    for_each: list[Any] | Annotated[str, compiles("steps", "plan", result=list)] | None = None
    """A list, or a CEL expression that gives one: the step runs once for each `item`."""
    parallelism: int | None = Field(default=None, ge=1, le=MOST_INSTANCES)
    """How many Jobs of this step run at a time."""
    retries: int = Field(default=0, ge=0, le=100)
    """How often it is tried again after it failed. Each failed attempt counts as an error of the Plan's budget."""
    timeout: Duration | None = None
    """How long one attempt may take."""
    outputs: Literal["TerminationMessage"] | ConfigMapOutput | None = None
    """Where its output is: the termination message of its first container (JSON or text), or a ConfigMap."""
    on_failure: Literal["stop", "continue"] = "stop"
    """`stop`: nothing new begins, what is done is compensated, and the Plan stalls. `continue`: later steps run."""
    compensate: Compensation | None = None
    """What undoes the step, when the Plan is torn down or another step fails for good."""

    @property
    def expressions(self) -> tuple[str, ...]:
        """The texts that may refer to other steps."""
        listed = self.for_each if isinstance(self.for_each, str) else ""
        return (self.when or "", listed, *_texts(self.template))


class Parameters(_Model):
    steps: tuple[Step, ...] = Field(min_length=1, max_length=100)
    """The steps, in any order."""
    parallelism: int = Field(default=10, ge=1, le=MOST_INSTANCES)
    """How many Jobs run at a time."""
    keep_finished: Duration = Duration("1h")
    """How long a Job and its pods stay after its result was recorded."""

    @model_validator(mode="after")
    def _is_a_graph(self) -> Self:
        names = [step.name for step in self.steps]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two steps have the name {twice[0]!r}")
        for step in self.steps:
            if unknown := sorted(set(step.depends_on) - set(names)):
                raise ValueError(f"the step {step.name!r} depends on {unknown[0]!r}, which is not a step")
        if circle := circle_in({step.name: step.depends_on for step in self.steps}):
            raise ValueError(f"the steps depend on each other in a circle: {circle}")
        self._check_references()
        fixed = sum(len(step.for_each) if isinstance(step.for_each, list) else 1 for step in self.steps)
        if fixed > MOST_INSTANCES:
            raise ValueError(f"the steps have {fixed} Jobs: at most {MOST_INSTANCES}")
        return self

    def _check_references(self) -> None:
        for step in self.steps:
            earlier = self.ancestors(step)
            undo = [] if step.compensate is None else _texts(step.compensate.template)
            for text in (*step.expressions, *undo):
                for found in _STEPS.finditer(text):
                    name = found[1] or found[2]
                    if name not in earlier and not (text in undo and name == step.name):
                        raise ValueError(
                            f"the step {step.name!r} reads the result of {name!r}: add that to its dependsOn, "
                            "directly or through another step"
                        )

    def ancestors(self, step: Step) -> frozenset[str]:
        """Return the names of all steps that end before this one begins."""
        return before(step.name, {each.name: each.depends_on for each in self.steps})

    def ordered(self) -> tuple[Step, ...]:
        """Return the steps so that each follows those it depends on, otherwise as they are written."""
        by_name = {step.name: step for step in self.steps}
        return tuple(by_name[name] for name in in_order({step.name: step.depends_on for step in self.steps}))


def _texts(value: Any) -> list[str]:
    """Return the expressions in the texts of a template."""
    if isinstance(value, str):
        return [value] if "${{" in value else []
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for member in members for text in _texts(member)]
