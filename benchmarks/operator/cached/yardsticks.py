"""The plan `configmaps` as `plans/` has it, with its reads from the operator's watch."""

from typing import Any

from pydantic import BaseModel, Field

from execloop import Context, Task, Whole, plan


class Parameters(BaseModel):
    count: int = Field(default=1, ge=0)


@plan("configmaps", parameters=Parameters, watches=[Whole("v1", "ConfigMap")])
class ConfigMaps:
    """`count` ConfigMaps are there, each with the name of its Plan."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self.names = [f"{context.name}-{number}" for number in range(parameters.count)]
        self.context = context

    async def create(self) -> list[Task]:
        owned = await self.context.kube.owned("v1", "ConfigMap", cached=True)
        found = {one["metadata"]["name"] for one in owned}
        return [CreateConfigMap(name, self.context) for name in self.names if name not in found]


class CreateConfigMap(Task):
    def __init__(self, name: str, context: Context) -> None:
        self.name, self.context = name, context

    async def perform(self) -> None:
        wanted: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self.name},
            "data": {"plan": self.context.name},
        }
        await self.context.kube.create(wanted)
