"""What the stopwatch asks of the API server, and how the API server itself counts requests."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from execloop.kube import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from tests.cluster import Cluster

__all__ = ["NAMESPACE", "WRITES", "Server"]

NAMESPACE = "execloop-benchmark"
WRITES = frozenset({"POST", "PUT", "PATCH", "APPLY"})
_PLANS = f"/apis/execloop.dev/v1alpha1/namespaces/{NAMESPACE}/plans"
_CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
# Of what a contender may write. The control plane writes too, to Leases for example.
_COUNTED = frozenset({"plans", "configmaps", "events"})
_AT_ONCE = 32
_PATIENCE = 600.0


class Server:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._connection = Connection.load(cluster.kubeconfig)

    async def close(self) -> None:
        await self._connection.close()

    def requests(self) -> Counter[tuple[str, str]]:
        """Until now, by (verb, resource/subresource)."""
        count: Counter[tuple[str, str]] = Counter()
        for line in self.cluster.kubectl("get", "--raw=/metrics").splitlines():
            if line.startswith("apiserver_request_total{"):
                label = dict(re.findall(r'(\w+)="([^"]*)"', line))
                if label["resource"] in _COUNTED:
                    resource = "/".join(filter(None, (label["resource"], label["subresource"])))
                    count[label["verb"], resource] += int(float(line.rsplit(" ", 1)[1]))
        return count

    async def clean(self) -> None:
        """No contender holds anything by a finalizer, so that all is gone when this returns."""
        for path in (_PLANS, _CONFIG_MAPS):
            await self._connection.request("DELETE", path, query={"propagationPolicy": "Background"})

    async def fill(self, names: Iterable[str], plan: str, count: int) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def create(name: str) -> None:
            async with gate:
                await self.create(name, plan, count)

        await asyncio.gather(*map(create, names))

    async def create(self, name: str, plan: str, count: int) -> None:
        spec = {"plan": plan, "parameters": {"count": count}, "sleepBetweenRuns": "0s"}
        body = {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", "metadata": {"name": name}, "spec": spec}
        await self._connection.request("POST", _PLANS, body=body)

    async def version(self) -> str:
        """Where a watch of Plans begins now."""
        answer = await self._connection.request("GET", _PLANS, query={"limit": "1"})
        return str(answer["metadata"]["resourceVersion"])

    async def ready(self, version: str) -> AsyncGenerator[tuple[str, float], None]:
        """Plans and when they became ready, on the monotonic clock; each once, without an end."""
        seen: set[str] = set()
        async with asyncio.timeout(_PATIENCE), aclosing(self._events(version)) as events:
            async for plan in events:
                name, conditions = plan["metadata"]["name"], plan.get("status", {}).get("conditions", ())
                if name not in seen and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                    seen.add(name)
                    yield name, time.monotonic()

    async def _events(self, version: str) -> AsyncGenerator[dict[str, Any], None]:
        query = {"watch": "1", "resourceVersion": version}
        async with aclosing(self._connection.stream(_PLANS, query)) as lines:
            async for line in lines:
                yield line["object"]
