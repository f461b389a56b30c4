"""How the graph stands: which steps are done, skipped or failed, which may run, and what their results are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from execloop.library.cel.expression import CelError, compile_expression
from execloop.library.jobs.identity import instances, of_items, step_key
from execloop.library.jobs.model import MOST_INSTANCES, ConfigMapOutput

if TYPE_CHECKING:
    from execloop._plans.context import Context
    from execloop.kube import Kube
    from execloop.library.jobs.identity import Instance
    from execloop.library.jobs.memory import Memory
    from execloop.library.jobs.model import Parameters, Step

__all__ = ["Standing", "StepError", "Survey"]


class StepError(Exception):
    """A step cannot run, or an attempt failed. The message names the step and the cause."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a step stands."""

    step: Step
    state: Literal["pending", "active", "done", "failed", "skipped"]
    key: str = ""
    """What the steps after it take as an input."""
    instances: tuple[Instance, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state not in {"pending", "active"}

    @property
    def stops(self) -> bool:
        """Return whether it failed for good, and nothing else may begin."""
        return self.state == "failed" and self.step.on_failure == "stop"


class Survey:
    """Looks at all steps in order; results in ConfigMaps are read once."""

    def __init__(self, parameters: Parameters, context: Context, memory: Memory) -> None:
        self._parameters, self._memory = parameters, memory
        self._namespace, self._name = context.namespace, context.name
        self._context = context
        self._maps: dict[str, dict[str, str]] = {}
        self.standings: dict[str, Standing] = {}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(step.name for step in self._parameters.steps)

    @property
    def _kube(self) -> Kube:
        return self._context.kube

    async def look(self) -> dict[str, Standing]:
        """Return how each step stands, by its name. Raises StepError and ApiError."""
        self.standings = {}
        count = 0
        for step in self._parameters.ordered():
            standing = self.standings[step.name] = await self._standing(step)
            count += len(standing.instances)
        if count > MOST_INSTANCES:
            raise StepError(f"the steps have {count} Jobs: at most {MOST_INSTANCES}")
        return self.standings

    async def values(self, instance: Instance) -> dict[str, Any]:
        """Return the variables that the template of a run may use."""
        own = {instance.step.name} if instance.undoes else set()
        steps = {
            name: await self._result(self.standings[name])
            for name in sorted(self._parameters.ancestors(instance.step) | own)
        }
        return {**self._shared(steps), "item": instance.item, "index": instance.position}

    def _shared(self, steps: dict[str, Any]) -> dict[str, Any]:
        return {"steps": steps, "plan": {"name": self._name, "namespace": self._namespace}}

    async def _standing(self, step: Step) -> Standing:
        before = [self.standings[name] for name in step.depends_on]
        if any(not each.ended or each.stops for each in before):
            return Standing(step, "pending")
        if step.when is None and not isinstance(step.for_each, str):
            return self._of_items(step, before, step.for_each if isinstance(step.for_each, list) else None)
        earlier = {name: await self._result(self.standings[name]) for name in self._parameters.ancestors(step)}
        values = self._shared(earlier)
        if step.when is not None and not _evaluated(step, "when", step.when, bool, values):
            return Standing(step, "skipped", "skipped")
        items = step.for_each
        if isinstance(items, str):
            items = _evaluated(step, "forEach", items, list, values)
        return self._of_items(step, before, items)

    def _of_items(self, step: Step, before: list[Standing], items: list[Any] | None) -> Standing:
        key = step_key(step, self._memory.turn(step.name), [each.key for each in before])
        if self._memory.skips(step.name, key):
            return Standing(step, "skipped", key)
        found = instances(step, key, items)
        if items is not None:
            key = of_items(key, found)
        if all(self._memory.has("done", each) for each in found):
            return Standing(step, "done", key, found)
        ended = all(self._memory.has("done", each) or self._memory.has("failed", each) for each in found)
        failed = any(self._memory.has("failed", each) for each in found)
        stops = failed and step.on_failure == "stop"
        return Standing(step, "failed" if ended or stops else "active", key, found)

    async def _result(self, standing: Standing) -> dict[str, Any]:
        """Return what expressions see of a step."""
        step = standing.step
        if isinstance(step.outputs, ConfigMapOutput):
            outputs: Any = await self._map(step, step.outputs.config_map) if standing.state == "done" else None
        elif step.for_each is None:
            outputs = self._memory.output(standing.instances[0]) if standing.instances else None
        else:
            outputs = [self._memory.output(each) for each in standing.instances]
        return {"state": standing.state, "outputs": outputs}

    async def _map(self, step: Step, name: str) -> dict[str, str]:
        if name not in self._maps:
            found = await self._kube.get("v1", "ConfigMap", name)
            if found is None:
                raise StepError(f"the ConfigMap {name!r}, the output of the step {step.name!r}, does not exist")
            self._maps[name] = found.get("data") or {}
        return self._maps[name]


def _evaluated(step: Step, field: str, text: str, result: type, values: dict[str, Any]) -> Any:
    try:
        return compile_expression(text, ("steps", "plan"), result).evaluate(values)
    except CelError as error:
        raise StepError(f"the step {step.name!r}: {field}: {error}") from None
