"""Which objects the steps apply, so far as parameters alone say it: before anything of the cluster is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from execloop._plans.entry import Entry
from execloop.library.cel.expression import CelError
from execloop.library.cel.template import rendered
from execloop.library.steps.errors import StepError
from execloop.library.steps.look.instance import NotYet, instances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execloop._plans.context import Context
    from execloop.library.steps.look.instance import Instance
    from execloop.library.steps.model import Parameters, Step

__all__ = ["Applied", "applied"]


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
        for instance in _instances(parameters, context, step):
            values = _values(parameters, context)
            if instance is not None:
                values |= {"item": instance.item, "index": instance.position}
            for manifest in step.do.apply:
                yield _of(manifest, values, context, place)


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
