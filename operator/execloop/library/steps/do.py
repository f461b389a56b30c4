"""The models of what a step does."""

from __future__ import annotations

import importlib
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from execloop._plans.definition import Definition, definition_of
from execloop._plans.duration import Duration
from execloop.library.manifests.wanted.documents import whole
from execloop.library.parts.parameters import check_part
from execloop.library.steps.variables import check_texts
from execloop.library.steps.world import Model, Name

__all__ = ["RESTARTABLE", "Annotate", "Delete", "Do", "Job", "Patch", "Restart", "plan_named"]

RESTARTABLE: Final = {("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet")}

_PLANS: Final = {
    "manifests": "execloop.library.manifests.plan:Manifests",
    "jobs": "execloop.library.jobs.plan:Jobs",
    "http": "execloop.library.http.plan:Http",
    "sql": "execloop.library.sql.plan:Sql",
}


def plan_named(name: str) -> Definition:
    """Return the built-in plan that an action rests on. Raises ValueError when what it needs is not installed."""
    module, _, attribute = _PLANS[name].partition(":")
    try:
        found = definition_of(getattr(importlib.import_module(module), attribute))
    except ImportError:
        raise ValueError(f"this needs what is not installed: pip install 'execloop[{name}]'") from None
    assert found is not None
    return found


def _objects(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    manifests = [whole(manifest) for manifest in given]
    check_texts(manifests)
    return manifests


def _of_plan(name: str) -> AfterValidator:
    def check(given: dict[str, Any]) -> dict[str, Any]:
        check_texts(given)
        check_part(plan_named(name), given)
        return given

    return AfterValidator(check)


def _pod(template: dict[str, Any]) -> dict[str, Any]:
    check_texts(template)
    check_part(plan_named("jobs"), {"steps": [{"name": "x", "template": template}]})
    return template


Objects: TypeAlias = Annotated[
    list[dict[str, Any]],
    BeforeValidator(lambda given: [given] if isinstance(given, dict) else given),
    AfterValidator(_objects),
    Field(min_length=1, max_length=100),
]


class Patch(Model):
    """A merge patch (RFC 7396) of an object that the step reads."""

    target: Name
    """Its name among `objects`. Each of them, where that is a list."""
    patch: Annotated[dict[str, Any], AfterValidator(check_texts)]
    """What to change; `${{ null }}` removes a field, a list replaces the whole list."""
    subresource: Literal["status", "scale"] | None = None
    """Which subresource to change."""


class Annotate(Model):
    """Annotations and labels of an object that the step reads."""

    target: Name
    """Its name among `objects`. Each of them, where that is a list."""
    annotations: Annotated[dict[str, str | None], AfterValidator(check_texts)] = Field(default_factory=dict)
    """Annotations; `${{ null }}` removes one."""
    labels: Annotated[dict[str, str | None], AfterValidator(check_texts)] = Field(default_factory=dict)
    """Labels; `${{ null }}` removes one."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.annotations and not self.labels:
            raise ValueError("give annotations or labels; to remove one write ${{ null }}: kubectl apply drops a null")
        return self


class Delete(Model):
    """The deletion of an object that the step reads, as it was when the step read it."""

    target: Name
    """Its name among `objects`. Each of them, where that is a list."""
    propagation: Literal["Background", "Foreground", "Orphan"] = "Background"
    """What becomes of the objects that it owns."""


class Restart(Model):
    """New pods for a Deployment, StatefulSet or DaemonSet that the step reads; at most once an execution."""

    target: Name
    """Its name among `objects`. Each of them, where that is a list."""


class Job(Model):
    """A Kubernetes Job, as a step of the plan `jobs` makes it."""

    template: Annotated[dict[str, Any], AfterValidator(_pod)]
    """The template of its pod."""
    retries: int = Field(default=0, ge=0, le=100)
    """How often it is tried again after it failed, before the Plan stalls."""
    timeout: Duration | None = None
    """How long one attempt may take."""


class Do(Model):
    """One action. `${{ … }}` in its texts is a CEL expression; a text that is nothing else keeps the value's type."""

    apply: Objects | None = None
    """One object, or a list of them: applied as the plan `manifests` does it, and waited for until they are healthy."""
    patch: Patch | None = None
    """A merge patch."""
    delete: Delete | None = None
    """A deletion."""
    annotate: Annotate | None = None
    """Annotations and labels."""
    restart: Restart | None = None
    """New pods."""
    job: Job | None = None
    """A Job."""
    http: Annotated[dict[str, Any], _of_plan("http")] | None = None
    """Parameters of the plan `http`."""
    sql: Annotated[dict[str, Any], _of_plan("sql")] | None = None
    """Parameters of the plan `sql`."""
    wait: Annotated[str, AfterValidator(check_texts)] | None = Field(default=None, min_length=1, max_length=1000)
    """Nothing, but wait until the check holds: what the Plan says it waits for."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(given := self.model_fields_set) != 1 or getattr(self, next(iter(given))) is None:
            actions = ", ".join(type(self).model_fields)
            raise ValueError(f"give one of {actions}" + (f", not {' and '.join(sorted(given))}" if given else ""))
        return self

    @property
    def action(self) -> str:
        """Return which one it is."""
        return next(iter(self.model_fields_set))
