"""A cluster in memory, and the plan `steps` as the operator drives it: made anew for each run, with what it kept."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from execloop._engine.execution import Execution
from execloop._plans.context import Context, connected
from execloop._plans.inventory import Inventory
from execloop._plans.limits import Limits
from execloop.kube import Kube
from execloop.library.steps.model import Parameters
from execloop.library.steps.plan import Steps
from tests.unit.library.manifests.applying import Applying

if TYPE_CHECKING:
    from tests.api_server import Object

UID = "uid-plan"
PATHS = {
    "ConfigMap": "/api/v1/namespaces/default/configmaps",
    "Secret": "/api/v1/namespaces/default/secrets",
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
}


@dataclass
class World:
    """What outlives a process: the cluster, and what the status holds."""

    cluster: Applying = field(default_factory=Applying)
    state: dict[str, Any] = field(default_factory=dict)
    stored: tuple[str, ...] = ()
    execution: str = "first"
    skip: str = ""
    retry: str = ""

    def put(self, kind: str, name: str, metadata: Object | None = None, **fields: Any) -> None:
        version = "apps/v1" if kind == "Deployment" else "v1"
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name, **(metadata or {})}, **fields}
        self.cluster.answer("POST", PATHS[kind], body)

    def get(self, kind: str, name: str) -> Object | None:
        return self.cluster.objects.get(f"{PATHS[kind]}/{name}")

    def data(self, name: str) -> Any:
        return (self.get("ConfigMap", name) or {}).get("data")

    def names(self, kind: str = "ConfigMap") -> list[str]:
        return sorted(path.rpartition("/")[2] for path in self.cluster.objects if path.startswith(f"{PATHS[kind]}/"))


class Operated:
    """`restarted`: each run is one of another process, which has only the cluster and the status."""

    name = "steps"

    def __init__(self, world: World, *steps: Object, **parameters: Any) -> None:
        self.world = world
        self.parameters = Parameters.model_validate({"steps": list(steps), **parameters})
        self._made: Context | None = None

    def context(self) -> Context:
        world = self.world
        if self._made is not None:  # the last run has ended: what it kept is in the status
            world.state = json.loads(json.dumps(dict(self._made.state)))
            world.stored = self._made.inventory.snapshot()
        self._made = Context(
            "a",
            "default",
            UID,
            2,
            execution=Execution(id=world.execution),
            skip=world.skip,
            retry=world.retry,
            state=copy.deepcopy(world.state),
            inventory=Inventory(world.stored, recover=self._made is None),
        )
        kube = Kube.for_plan(world.cluster.connection, namespace="default", name="a", uid=UID)
        made = replace(self._made, limits=Limits((), ("127.0.0.1",)))
        return connected(made, lambda: kube, lambda: None)  # type: ignore[arg-type,return-value]

    async def create(self) -> Any:
        return await Steps(self.parameters, self.context()).create()


class TornDown(Operated):
    async def create(self) -> Any:
        return await Steps(self.parameters, self.context()).teardown()


def configmap(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def reading(**objects: str) -> Object:
    """References: the name in expressions, and `Kind/name` or `Kind?selector`."""
    found = {}
    for name, text in objects.items():
        listed = "?" in text
        kind, _, which = text.partition("?" if listed else "/")
        version = "apps/v1" if kind == "Deployment" else "v1"
        found[name] = {"apiVersion": version, "kind": kind, "selector" if listed else "name": which}
    return found
