"""Whether a Plan would be accepted: by the API server, by the operator, and by the plan that it names."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, Any

from execloop._engine.errors import InvalidParameters, PlanError
from execloop.cli.manifests import API_VERSION, Manifest, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from execloop._plans.definition import Definition
    from execloop._plans.registry import Registry
    from execloop.controller.api.v1alpha1 import PlanSpec

__all__ = ["check_parameters", "check_resource", "unchecked_parameters"]

_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "object": (dict, "a mapping"),
    "array": (list, "a list"),
    "string": (str, "a string"),
    "boolean": (bool, "true or false"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
}


def check_resource(manifest: Manifest) -> tuple[PlanSpec | None, list[Problem]]:
    """The spec; or None, and what the API server would refuse or drop."""
    from execloop.controller.api.v1alpha1 import PlanSpec  # noqa: PLC0415 - pydantic takes its time

    found: dict[str, str] = dict(_identity(manifest))
    for field, message in _structure(manifest.content, _schema(), ""):
        found.setdefault(field, message)
    spec, errors = _validate(PlanSpec.model_validate, manifest.content.get("spec", {}), "spec")
    for field, message, _ in errors:
        found.setdefault(field, message)
    return (None if found else spec), [manifest.problem(field, message) for field, message in found.items()]


def check_parameters(manifest: Manifest, spec: PlanSpec, registry: Registry) -> list[Problem]:
    """What the plan itself would say to its parameters, as far as they stand in the manifest."""
    try:
        definition = registry.get(spec.plan).definition
    except PlanError as error:
        return [manifest.problem("spec.plan", str(error))]
    undone = spec.deletion_policy == "Orphan" or definition.teardown
    refused = () if undone else (manifest.problem("spec.deletionPolicy", f"the plan {spec.plan!r} has no teardown()"),)
    errors = _parameter_errors(definition, spec.parameters, registry)
    if spec.parameters_from:  # what is missing here may stand there
        errors = [error for error in errors if error[2] != "missing"]
    return [*refused, *(manifest.problem(field, message) for field, message, _ in errors)]


def unchecked_parameters(manifest: Manifest, spec: PlanSpec, registry: Registry) -> Problem | None:
    """Return a warning when the plan takes its parameters as they are, which nothing checks."""
    if spec.plan in registry and registry.get(spec.plan).definition.unchecked:
        return manifest.problem("spec.parameters", f"the plan {spec.plan!r} has no model, so nothing checks them")
    return None


_Error = tuple[str, str, str]
"""Field, message, and pydantic's word for the rule."""


def _parameter_errors(definition: Definition, parameters: dict[str, Any], registry: Registry) -> list[_Error]:
    try:
        definition.parse(parameters, plans=registry.definition)
    except InvalidParameters as error:
        return [(_path("spec.parameters", one.location), one.message, one.rule) for one in error.problems]
    return []


def _validate(model: Callable[[Any], Any], value: Any, prefix: str) -> tuple[Any, list[_Error]]:
    try:
        return model(value), []
    except ValueError as error:
        details = getattr(error, "errors", None)
        if not callable(details):
            return None, [(prefix, str(error), "")]
        return None, [
            (_path(prefix, item["loc"]), str(item["msg"]).removeprefix("Value error, "), str(item["type"]))
            for item in details()
        ]


def _path(prefix: str, location: Iterable[int | str]) -> str:
    return prefix + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


def _identity(manifest: Manifest) -> Iterator[tuple[str, str]]:
    if manifest.content["apiVersion"] != API_VERSION:
        yield "apiVersion", f"should be {API_VERSION}"
    if not manifest.name and not manifest.metadata.get("generateName"):
        yield "metadata.name", "is missing"


@cache
def _schema() -> dict[str, Any]:
    from execloop.controller.api.crd import crd  # noqa: PLC0415 - pydantic takes its time

    schema: dict[str, Any] = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _structure(value: Any, schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Wrong types and unknown fields, of which the models let more pass than the API server does."""
    kind = schema.get("type", "")
    accepted, words = _TYPES.get(kind, (object, ""))
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind in {"integer", "number"}):
        yield path, f"should be {words}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _structure(item, schema.get("items", {}), f"{path}[{index}]")
    elif isinstance(value, dict) and "properties" in schema:
        yield from _fields(value, schema["properties"], path)


def _fields(value: dict[str, Any], known: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        where = f"{path}.{key}" if path else key
        if key in known:
            yield from _structure(item, known[key], where)
        else:
            near = difflib.get_close_matches(key, known, n=1)
            yield where, "there is no such field" + (f"; did you mean {near[0]}?" if near else "")
