"""A cluster in memory that takes server-side applies of ConfigMaps, and the plan against it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from execloop._plans.context import Context, connected
from execloop._plans.inventory import Inventory
from execloop.kube import APPLY, Kube
from execloop.library.manifests import Manifests, Parameters
from tests.fake_cluster import FakeCluster
from tests.merge_patch import merged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.api_server import Object

UID = "uid-plan"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


class Applying(FakeCluster):
    """Merges what is applied into what exists; a field that was not applied any more stays."""

    async def request(self, method: str, path: str, **how: Any) -> Object:
        if how.get("content_type") != APPLY:
            return await super().request(method, path, **how)
        self.requests += 1
        return copy.deepcopy(self._apply(path, copy.deepcopy(how["body"]), how["query"]))

    def _apply(self, path: str, body: Object, query: Mapping[str, str]) -> Object:
        dry, before = query.get("dryRun") == "All", self.objects.get(path)
        if before is None:
            made: Object = self.server.answer("POST", path.rpartition("/")[0], body, {"dryRun": "All"} if dry else {})
            if not dry:
                made["metadata"]["managedFields"] = [{"manager": query["fieldManager"], "operation": "Apply"}]
            return made
        after: Object = merged(copy.deepcopy(before), body)
        if dry or after == before:
            return after
        changed: Object = self.server.answer("PATCH", path, body)
        return changed

    def names(self) -> set[str]:
        return {path.rpartition("/")[2] for path in self.objects if path.startswith(CONFIGMAPS)}

    def data(self, name: str) -> dict[str, str]:
        found: dict[str, str] = self.objects[f"{CONFIGMAPS}/{name}"]["data"]
        return found

    def put(self, name: str, *, owned: bool = False, **data: str) -> None:
        labels = {"execloop.dev/plan-uid": UID} if owned else {}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": data}
        self.answer("POST", CONFIGMAPS, body)


def configmap(name: str, annotations: dict[str, str] | None = None, **data: str) -> Object:
    metadata: Object = {"name": name} | ({"annotations": annotations} if annotations else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@dataclass
class World:
    """What outlives a process: the cluster, and what the status holds."""

    cluster: Applying = field(default_factory=Applying)
    state: dict[str, Any] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    memory: dict[str, Any] = field(default_factory=dict)
    """Of one process."""
    watched: bool = True

    def version(self, _api_version: str, kind: str, namespace: str, name: str) -> str | None:
        """What a metadata watch says."""
        found = self.cluster.objects.get(f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{name}")
        return None if not self.watched else "" if found is None else found["metadata"]["resourceVersion"]

    def context(self, *, restarted: bool = False, **more: Any) -> Context:
        inventory = Inventory(self.stored, recover=restarted)
        memory = {} if restarted else self.memory
        made = Context("a", "default", UID, 2, state=self.state, inventory=inventory, memory=memory, **more)
        kube = Kube.for_plan(self.cluster.connection, namespace="default", name="a", uid=UID)
        return connected(made, lambda: kube, lambda: None, self.version)  # type: ignore[arg-type,return-value]

    def plan(self, *objects: Object, context: Context | None = None, **parameters: Any) -> Manifests:
        given = Parameters.model_validate({"objects": list(objects), **parameters})
        return Manifests(given, context or self.context())
