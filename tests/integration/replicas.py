"""Replicas of one operator, each a process that does its work in the same world."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.integration.endpoints import Endpoints
from tests.integration.operating import Operator, operating

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster import Cluster

__all__ = ["Replica", "replica"]


class Replica:
    def __init__(self, operator: Operator, endpoints: Endpoints) -> None:
        self.operator, self.endpoints = operator, endpoints

    def leads(self) -> bool:
        return "leading: " in self.operator.said()

    def owned(self, ranges: int) -> set[int]:
        """The ranges that it works on, of so many."""
        return {n for n in range(ranges) if self.endpoints.metric(f'execloop_shard_owned{{shard="{n}"}}')}


@contextmanager
def replica(cluster: Cluster, namespace: str, world: Path, *options: str) -> Iterator[Replica]:
    with Endpoints.reserved() as endpoints:
        folder = world / f"replica-{endpoints.port}"
        folder.mkdir()
        election = ("--leader-elect", f"--lease-namespace={namespace}", f"--health-port={endpoints.port}")
        with operating(cluster, [namespace], folder, *election, *options, world=world) as operator:
            yield Replica(operator, endpoints)
