"""The two plans that every contender has, in its own language."""

import asyncio
from typing import Any

from pydantic import BaseModel, Field

from execloop import Context, Task, plan, task


class Parameters(BaseModel):
    count: int = Field(default=1, ge=0)


def nothing() -> None: ...


@plan("noop", parameters=Parameters)
def noop(parameters: Parameters, context: Context) -> list[Task]:
    """`count` tasks that do nothing, once."""
    if context.execution.runs:
        return []
    return [task(f"task {number}", nothing) for number in range(parameters.count)]


@plan("configmaps", parameters=Parameters)
class ConfigMaps:
    """`count` ConfigMaps are there, each with the name of its Plan."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self.names = [f"{context.name}-{number}" for number in range(parameters.count)]
        self.context = context

    async def create(self) -> list[Task]:
        kube = self.context.kube
        found = await asyncio.gather(*(kube.get("v1", "ConfigMap", name) for name in self.names))
        return [CreateConfigMap(name, self.context) for name, there in zip(self.names, found, strict=True) if not there]


class CreateConfigMap(Task):
    def __init__(self, name: str, context: Context) -> None:
        self.name, self.context = name, context

    async def perform(self) -> None:
        data = {"plan": self.context.name}
        wanted: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self.name},
            "data": data,
        }
        await self.context.kube.create(wanted)
