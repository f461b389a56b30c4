"""What expressions are given: objects and answers, each read once a look, and only when a step reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from execloop.kube import ApiError
from execloop.library.cel.expression import CelError
from execloop.library.cel.template import rendered
from execloop.library.http.errors import HttpError, Unreachable
from execloop.library.http.parameters import Parameters as Request
from execloop.library.http.session import opened
from execloop.library.steps.errors import StepError
from execloop.library.steps.look.veil import Veil
from execloop.library.steps.variables import PLACES, needed, reads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from execloop._plans.context import Context
    from execloop.library.steps.look.instance import Instance
    from execloop.library.steps.model import Parameters, Step
    from execloop.library.steps.world import Probe, Reference

__all__ = ["Reading"]

_MOST_LISTED: Final = 500
_EVERY_STATUS: Final = tuple(range(400, 600))


class Reading:
    """One look at the world. `now` is the time that all of its expressions see."""

    def __init__(self, parameters: Parameters, context: Context, now: str) -> None:
        self._parameters, self._context = parameters, context
        self._shared = {
            "values": parameters.values,
            "secrets": parameters.secrets,
            "plan": {"name": context.name, "namespace": context.namespace},
            "now": now,
        }
        self._objects: dict[tuple[str, ...], Any] = {}
        self._answers: dict[str, dict[str, Any]] = {}
        self.veil = Veil()

    async def listing(self, step: Step) -> dict[str, Any]:
        """Return the variables that the `forEach` of a step may use. Raises StepError, Wait."""
        texts = [step.for_each] if isinstance(step.for_each, str) else []
        return await self._given(step, texts, {"item": None, "index": None})

    async def values(self, instance: Instance) -> dict[str, Any]:
        """Return all variables of a step's expressions. Raises StepError, Wait."""
        step = instance.step
        texts = [*step.expressions, *([f"objects.{step.target}"] if step.target else [])]
        return await self._given(step, texts, {"item": instance.item, "index": instance.position})

    async def _given(self, step: Step, texts: Iterable[str], own: Mapping[str, Any]) -> dict[str, Any]:
        texts = list(texts)
        given = {**self._shared, **own}
        places = {name: given[name] for name in PLACES}
        probes = self._parameters.probes | step.probes
        objects = {}
        for name in sorted(reads("objects", texts)):
            if (reference := self._parameters.reference(step, name)) is not None:
                found = await self._object(name, reference, places)
                objects.update({} if found is None else {name: found})
        answers = {
            name: await self._answer(name, probes[name], places)
            for name in sorted(reads("probes", texts))
            if name in probes
        }
        values = needed("values", texts, self._parameters.values)  # each evaluation measures what it is given
        return {**given, "values": values, "objects": objects, "probes": answers}

    async def _object(self, name: str, reference: Reference, places: dict[str, Any]) -> Any:
        try:
            key = tuple(
                "" if text is None else rendered(text, places)
                for text in (
                    reference.api_version,
                    reference.kind,
                    reference.namespace,
                    reference.name,
                    reference.selector,
                )
            )
            if key not in self._objects:
                self._objects[key] = await self._read(reference, *key[2:])
        except (CelError, ApiError, ValueError) as error:
            raise StepError(f"objects.{name}: {error}") from None
        return self._objects[key]

    async def _read(self, reference: Reference, namespace: str, name: str, selector: str) -> Any:
        kube, kind = self._context.kube, (reference.api_version, reference.kind)
        if reference.name is not None:
            if not name:
                raise ValueError("its name is empty")
            found = await kube.get(*kind, name, namespace or None)
            return None if found is None else self._seen(found)
        if not selector.strip():
            raise ValueError("its selector is empty, which would mean every object")
        listed = await kube.list(*kind, namespace or None, selector, most=_MOST_LISTED)
        if len(listed) > _MOST_LISTED:
            raise ValueError(f"over {_MOST_LISTED} objects have these labels")
        return [self._seen(each) for each in sorted(listed, key=lambda each: str(each["metadata"]["name"]))]

    def _seen(self, live: dict[str, Any]) -> dict[str, Any]:
        self.veil.add(live)
        return {
            **live,
            "metadata": {key: value for key, value in live["metadata"].items() if key != "managedFields"},
        }

    async def _answer(self, name: str, probe: Probe, places: dict[str, Any]) -> dict[str, Any]:
        try:
            given = rendered(probe.model_dump(by_alias=True, exclude_none=True, mode="json"), places)
            key = repr(sorted(given.items()))
            if key not in self._answers:
                self._answers[key] = await self._ask(Request.model_validate(given))
        except (CelError, HttpError, OSError) as error:
            raise StepError(f"probes.{name}: {error}") from None
        except ValueError:  # of the model; it may quote a value
            raise StepError(f"probes.{name}: what its expressions give is not valid there") from None
        return self._answers[key]

    async def _ask(self, request: Request) -> dict[str, Any]:
        assert request.url is not None
        try:
            async with opened(request, self._context.limits.addresses) as session:
                answer = await session.send("GET", request.url, expected=_EVERY_STATUS)
        except Unreachable as error:
            return {"status": 0, "error": error.message}
        return {"status": answer.status, "body": answer.json}
