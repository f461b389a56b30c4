"""Which objects the steps apply and read, so far as parameters alone say it: before anything of the cluster is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from execloop._plans.entry import Entry
from execloop.library.cel.expression import CelError
from execloop.library.cel.template import rendered
from execloop.library.steps.errors import StepError
from execloop.library.steps.look.instance import NotYet, instances
from execloop.library.steps.variables import reads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop._plans.context import Context
    from execloop.library.steps.look.instance import Instance
    from execloop.library.steps.model import Parameters, Step

__all__ = ["Applied", "applied", "read"]


class Applied(NamedTuple):
    """An object of a step."""

    step: int
    """Where the step comes in the order."""
    api_version: str
    entry: Entry
    known: bool
    """Whether the entry is the object's: else its name, its namespace or its kind is in an expression."""


def applied(parameters: Parameters, context: Context) -> Iterator[Applied]:
    """Yield the objects, each once for each item of its step."""
    for place, step in enumerate(parameters.ordered):
        if step.do.apply is None:
            continue
        for values in _each(parameters, context, step):
            for manifest in step.do.apply:
                yield _of(manifest, values, context, place)


def read(parameters: Parameters, context: Context) -> Iterator[tuple[str, str, str, str]]:
    """Yield the objects of the Plan's namespace that steps read by name; not those of a selector."""
    for step in parameters.steps:
        names = reads("objects", step.expressions) | ({step.target} if step.target else set())
        found = (parameters.reference(step, name) for name in sorted(names))
        places = [
            (each.api_version, each.kind, each.namespace, each.name) for each in found if each is not None and each.name
        ]
        if isinstance(migrations := (step.do.sql or {}).get("configMap"), str):
            places.append(("v1", "ConfigMap", None, migrations))
        for values in _each(parameters, context, step) if places else ():
            for api_version, kind, given, name in places:
                try:
                    namespace, shown = rendered([given or context.namespace, name], values)
                except CelError:  # it is known only when other objects are read
                    continue
                if shown and namespace == context.namespace:
                    yield api_version, kind, namespace, shown


def _each(parameters: Parameters, context: Context, step: Step) -> Iterator[dict[str, Any]]:
    """Yield the values of a step's expressions, once for each of its items."""
    for instance in _instances(parameters, context, step):
        item = {} if instance is None else {"item": instance.item, "index": instance.position}
        yield _values(parameters, context) | item


def _instances(parameters: Parameters, context: Context, step: Step) -> list[Instance | None]:
    try:
        return [*instances(step, {**_values(parameters, context), "objects": {}, "probes": {}})]
    except (NotYet, StepError):
        return [None]


def _of(manifest: dict[str, Any], values: dict[str, Any], context: Context, place: int) -> Applied:
    metadata = manifest["metadata"]
    texts = [manifest["apiVersion"], manifest["kind"], metadata.get("namespace") or "", metadata["name"]]
    known = True
    try:
        version, kind, namespace, name = rendered(texts, values)
    except CelError:
        (version, kind, namespace, name), known = (texts[0], texts[1], "", texts[3]), False
    entry = Entry.of({"apiVersion": version, "kind": kind, "metadata": {"name": name}}, namespace or context.namespace)
    return Applied(place, version, entry, known)


def _values(parameters: Parameters, context: Context) -> dict[str, Any]:
    place = {"name": context.name, "namespace": context.namespace}
    return {"values": parameters.values, "plan": place, "now": "1970-01-01T00:00:00Z"}
