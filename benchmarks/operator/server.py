"""What the stopwatch asks of the API server, and how the API server itself counts requests."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from benchmarks.pages import ROOT
from execloop.controller.api.v1alpha1 import API_VERSION, KIND
from execloop.kube import MERGE_PATCH, Connection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping
    from pathlib import Path

    from tests.cluster import Cluster

__all__ = ["CONFIG_MAPS", "NAMESPACE", "PLANS", "WRITES", "Server", "at_once", "install", "plan_writes"]

NAMESPACE = "execloop-benchmark"
WRITES = frozenset({"POST", "PUT", "PATCH", "APPLY"})
PLANS = f"/apis/execloop.dev/v1alpha1/namespaces/{NAMESPACE}/plans"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
# Of what a contender may write. The control plane writes too, to Leases for example.
_COUNTED = frozenset({"plans", "configmaps", "events", "kustomizations", "gitrepositories"})
_AT_ONCE = 32
_PAGE = 500
_PATIENCE = 600.0


def install(cluster: Cluster, *further: Path) -> None:
    """Install the CRD of Plans and further ones, and make the namespace."""
    options = [f"--filename={file}" for file in (ROOT / "crds" / "execloop.dev_plans.yaml", *further)]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", *options)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *options)
    cluster.kubectl("create", "namespace", NAMESPACE)


def plan_writes(requests: Mapping[tuple[str, str], int]) -> int:
    """Return how many of these wrote a Plan or its status; who creates a Plan is not the operator."""
    wrote = {(verb, of) for verb in WRITES for of in ("plans", "plans/status")} - {("POST", "plans")}
    return sum(count for request, count in requests.items() if request in wrote)


async def at_once(calls: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Await them all, so many at one moment."""
    waiting = iter(calls)

    async def work() -> None:
        for call in waiting:
            await call

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())


class Server:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.connection = Connection.load(cluster.kubeconfig)

    async def close(self) -> None:
        await self.connection.close()

    def requests(self) -> Counter[tuple[str, str]]:
        """Until now, by (verb, resource/subresource)."""
        count: Counter[tuple[str, str]] = Counter()
        for line in self._metrics():
            if line.startswith("apiserver_request_total{"):
                label = dict(re.findall(r'(\w+)="([^"]*)"', line))
                if label["resource"] in _COUNTED:
                    resource = "/".join(filter(None, (label["resource"], label["subresource"])))
                    count[label["verb"], resource] += int(float(line.rsplit(" ", 1)[1]))
        return count

    def memory(self) -> tuple[float, float]:
        """MiB that the API server has in memory, and that etcd has on disk."""
        sizes = {"process_resident_memory_bytes": 0.0, "apiserver_storage_size_bytes": 0.0}
        for line in self._metrics():
            name, _, value = line.partition(" ")
            name = name.partition("{")[0]
            if name in sizes:
                sizes[name] += float(value) / 2**20
        resident, stored = sizes.values()
        return resident, stored

    def cpu_seconds(self) -> float:
        """Return what the API server's process has used until now."""
        name = "process_cpu_seconds_total "
        return next(float(line.removeprefix(name)) for line in self._metrics() if line.startswith(name))

    def _metrics(self) -> list[str]:
        return self.cluster.kubectl("get", "--raw=/metrics").splitlines()

    async def clean(self) -> None:
        """No contender holds anything by a finalizer, so that all is gone when this returns."""
        for path in (PLANS, CONFIG_MAPS):
            await self.delete_all(path)

    async def delete_all(self, path: str) -> None:
        await self.connection.request("DELETE", path, query={"propagationPolicy": "Background"})

    async def fill(self, names: Iterable[str], plan: str, count: int) -> None:
        await at_once(self.create(name, plan, count) for name in names)

    async def create(self, name: str, plan: str, count: int, labels: Mapping[str, str] | None = None) -> None:
        spec = {"plan": plan, "parameters": {"count": count}, "sleepBetweenRuns": "0s"}
        metadata = {"name": name, "labels": labels or {}}
        await self.post(PLANS, {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self.connection.request("POST", path, body=body)

    async def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self.connection.request("PUT", path, body=body)

    async def strip(self, path: str) -> None:
        """Remove the finalizers of one object."""
        body = {"metadata": {"finalizers": None}}
        await self.connection.request("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def edit(self, names: Iterable[str], spec: Mapping[str, object], path: str = PLANS) -> None:
        """Merge this into the spec of each."""

        async def merge(name: str) -> None:
            place, body = f"{path}/{name}", {"spec": spec}
            await self.connection.request("PATCH", place, body=body, content_type=MERGE_PATCH)

        await at_once(map(merge, names))

    async def pages(self, path: str = PLANS) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Yield what is there, as a list in pages brings it."""
        rest = {"limit": f"{_PAGE}"}
        while True:
            answer = await self.connection.request("GET", path, query=rest)
            yield answer["items"]
            if not (further := answer["metadata"].get("continue")):
                return
            rest["continue"] = further

    async def version(self, path: str = PLANS) -> str:
        """Where a watch begins now."""
        answer = await self.connection.request("GET", path, query={"limit": "1"})
        return str(answer["metadata"]["resourceVersion"])

    async def ready(
        self, version: str, labels: str = "", path: str = PLANS, seconds: float = _PATIENCE
    ) -> AsyncGenerator[tuple[str, float], None]:
        """Plans with these labels and when they became ready, on the monotonic clock; each once, without an end."""
        seen: set[str] = set()
        async with asyncio.timeout(seconds), aclosing(self._events(version, labels, path)) as events:
            async for plan in events:
                name, conditions = plan["metadata"]["name"], plan.get("status", {}).get("conditions", ())
                if name not in seen and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                    seen.add(name)
                    yield name, time.monotonic()

    async def _events(self, version: str, labels: str, path: str) -> AsyncGenerator[dict[str, Any], None]:
        query = {"watch": "1", "resourceVersion": version, "labelSelector": labels}
        async with aclosing(self.connection.stream(path, query)) as lines:
            async for line in lines:
                yield line["object"]
