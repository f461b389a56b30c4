"""Plans that need a cluster, for the tests of the command."""

from typing import Any

from pydantic import BaseModel

from execloop import Context, Task, plan, task


class Parameters(BaseModel):
    name: str
    data: dict[str, str] = {}


@plan("config-map", parameters=Parameters)
class ConfigMap:
    """Asynchronous plan code has `context.kube`."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self.kube = context.kube
        self.wanted: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": parameters.name},
            "data": parameters.data,
        }

    async def create(self) -> list[Task]:
        found = await self.kube.get("v1", "ConfigMap", self.wanted["metadata"]["name"])
        if found is not None and found.get("data", {}) == self.wanted["data"]:
            return []
        return [task("apply", self._apply)]

    async def _apply(self) -> None:
        await self.kube.apply(self.wanted)


@plan("count-nodes")
def count_nodes(_parameters: dict[str, Any], context: Context) -> list[Task]:
    """Blocking plan code has `context.api_client`."""
    from kubernetes.client import CoreV1Api

    context.logger.info("%d nodes", len(CoreV1Api(context.api_client).list_node().items))
    return []
