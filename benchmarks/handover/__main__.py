"""How long ranges of Plans take from one replica to another: `python -m benchmarks.handover`, on a real API server.

Ten Plans each quarter of a second are asked to reconcile, all the time. A hand-over is what they wait longer for.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import tempfile
import time
from contextlib import ExitStack, aclosing
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from execloop.controller.api.v1alpha1 import API_VERSION, KIND
from execloop.kube import MERGE_PATCH, Connection
from tests.cluster import provide
from tests.integration.replicas import Replica, replica

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_NAMESPACE = "execloop-handover"
_PLANS = f"/apis/execloop.dev/v1alpha1/namespaces/{_NAMESPACE}/plans"
_ROOT = Path(__file__).parents[2]
_AT_ONCE, _EVERY, _AFTER = 10, 0.25, 10.0
_PATIENCE = 180.0


class Probe:
    """Asks Plans to reconcile, one after another, and notes when each was asked and when that was done."""

    def __init__(self, connection: Connection, plans: int) -> None:
        self._connection = connection
        self.names = [f"plan-{number}" for number in range(plans)]
        self._pending: dict[str, dict[int, float]] = {name: {} for name in self.names}
        """When each request was made, by Plan and number."""
        self._waited: list[tuple[float, float]] = []
        """When a request was made, and for how long it waited."""
        self.ready = 0

    async def fill(self) -> None:
        async def create(name: str) -> None:
            spec = {"plan": "noop", "interval": "1h", "sleepBetweenRuns": "0s"}
            body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}
            await self._connection.request("POST", _PLANS, body=body)

        for some in _batches(self.names, 50):
            await asyncio.gather(*map(create, some))

    async def watch(self) -> None:
        """Note each request that was handled, until it is cancelled."""
        ready = set()
        async with aclosing(self._connection.stream(_PLANS, {"watch": "true", "timeoutSeconds": "3600"})) as events:
            async for event in events:
                metadata, status = event["object"]["metadata"], event["object"].get("status") or {}
                if any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ())):
                    ready.add(metadata["name"])
                    self.ready = len(ready)
                if handled := status.get("lastHandledReconcileAt"):
                    self._answer(metadata["name"], int(handled))

    def _answer(self, name: str, handled: int) -> None:
        """A later request for a Plan takes the place of an earlier one."""
        pending = self._pending[name]
        for number in [number for number in pending if number <= handled]:
            asked = pending.pop(number)
            self._waited.append((asked, time.monotonic() - asked))

    async def ask(self) -> None:
        """Ask Plan after Plan, until it is cancelled."""
        names, number = itertools.cycle(self.names), itertools.count()
        while True:
            for name, one in zip(itertools.islice(names, _AT_ONCE), number, strict=False):
                self._pending[name][one] = time.monotonic()
                patch = {"metadata": {"annotations": {"execloop.dev/requestedAt": f"{one}"}}}
                await self._connection.request("PATCH", f"{_PLANS}/{name}", body=patch, content_type=MERGE_PATCH)
            await asyncio.sleep(_EVERY)

    async def waits(self, began: float, ended: float) -> list[float]:
        """Return how long those asked in this time waited."""
        await _until(lambda: asyncio.sleep(0, not self._waits_since(began, ended)))
        return [waited for asked, waited in self._waited if began <= asked <= ended]

    def _waits_since(self, began: float, ended: float) -> bool:
        return any(began <= asked <= ended for pending in self._pending.values() for asked in pending.values())


def _batches(names: list[str], size: int) -> Iterator[list[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not await holds():  # noqa: ASYNC110 - it asks other processes
            await asyncio.sleep(0.02)


class Site:
    """One API server, its replicas, and the probe."""

    def __init__(self, probe: Probe, ranges: int, start: Callable[[], Replica]) -> None:
        self.probe, self.ranges, self.start = probe, ranges, start

    async def owns(self, one: Replica, count: int) -> None:
        await _until(lambda: asyncio.to_thread(lambda: len(one.owned(self.ranges)) == count))

    async def row(self, title: str, event: Callable[[], object], settled: Callable[[], Awaitable[None]]) -> str:
        began = time.monotonic()
        event()
        await settled()
        moved = time.monotonic() - began
        await asyncio.sleep(_AFTER)
        waits = sorted(await self.probe.waits(began, time.monotonic() - 1))
        late = waits[int(0.99 * len(waits))]
        return f"| {title} | {moved:.1f} s | {median(waits) * 1000:.0f} ms | {late:.2f} s | {waits[-1]:.2f} s |"


async def _measure(site: Site) -> list[str]:
    first = site.start()
    await site.owns(first, site.ranges)
    await _until(lambda: asyncio.sleep(0, site.probe.ready == len(site.probe.names)))
    asking = asyncio.create_task(site.probe.ask())
    rows = [await site.row("nothing happens", lambda: None, lambda: asyncio.sleep(10))]
    others: list[Replica] = []

    async def balanced() -> None:
        await site.owns(others[-1], site.ranges // 2)

    async def alone() -> None:
        await site.owns(first, site.ranges)

    for title, how in (("leaves (SIGTERM)", signal.SIGTERM), ("is killed (kill -9)", signal.SIGKILL)):
        rows.append(await site.row("a replica joins", lambda: others.append(site.start()), balanced))
        process = others[-1].operator.process
        rows.append(await site.row(f"a replica {title}", partial(process.send_signal, how), alone))
    asking.cancel()
    return rows


async def _run(plans: int, ranges: int, duration: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        cluster = stack.enter_context(provide(Path(folder)))
        cluster.kubectl("apply", "--server-side", f"--filename={_ROOT / 'crds' / 'execloop.dev_plans.yaml'}")
        cluster.kubectl("wait", "--for=condition=Established", "crd/plans.execloop.dev", "--timeout=30s")
        cluster.kubectl("create", "namespace", _NAMESPACE)
        connection = Connection.load(cluster.kubeconfig)
        options = (f"--shards={ranges}", f"--lease-duration={duration}", f"--plans={_ROOT}/benchmarks/operator/plans")
        probe = Probe(connection, plans)

        def start() -> Replica:
            return stack.enter_context(replica(cluster, _NAMESPACE, Path(folder), *options))

        await probe.fill()
        watching = asyncio.create_task(probe.watch())
        try:
            return await _measure(Site(probe, ranges, start))
        finally:
            watching.cancel()
            await connection.close()


@click.command()
@click.option("--plans", default=1000, show_default=True)
@click.option("--shards", default=8, show_default=True)
@click.option("--lease-duration", default="15s", show_default=True)
def main(plans: int, shards: int, lease_duration: str) -> None:
    """Print a table of the hand-overs between two replicas."""
    rows = asyncio.run(_run(plans, shards, lease_duration))
    click.echo(f"{plans} Plans, {shards} ranges, Leases of {lease_duration}\n")
    click.echo("| | until the ranges are shared again | a request waits, p50 | p99 | at most |\n|---|--:|--:|--:|--:|")
    click.echo("\n".join(rows))


if __name__ == "__main__":
    main()
