"""A plan that reads what it made from the operator's watch."""

from pydantic import BaseModel, Field

from execloop import Context, Task, Whole, plan, task


class Parameters(BaseModel):
    count: int = Field(default=3, ge=0)
    value: str = "1"


@plan("cached-maps", parameters=Parameters, watches=[Whole("v1", "ConfigMap")])
async def cached_maps(parameters: Parameters, context: Context) -> list[Task]:
    """`count` ConfigMaps of this Plan have the value."""
    owned = await context.kube.owned("v1", "ConfigMap", cached=True)
    found = {one["metadata"]["name"]: one["data"]["value"] for one in owned}
    wanted = [f"{context.name}-{number}" for number in range(parameters.count)]
    return [
        task(name, _make, context, name, parameters.value) for name in wanted if found.get(name) != parameters.value
    ]


async def _make(context: Context, name: str, value: str) -> None:
    metadata = {"name": name}
    await context.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}})
