"""What it takes to read a list of Plans, on both sides: CPU seconds for each Plan, without any reconcile."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from execloop.controller.manager.controller import Operator
from execloop.controller.manager.leadership import NoElection
from execloop.controller.manager.metrics import Metrics
from execloop.controller.manager.tuning import collect_seldom
from execloop.controller.plancode.crashes.journal import Journal
from execloop.controller.plancode.crashes.suspects import Suspects
from execloop.controller.settings import Settings
from execloop.kube import range_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.operator.server import Server
    from execloop.controller.manager.leadership import Leadership

__all__ = ["Reading", "read"]

_RANGES = 16


@dataclass(frozen=True)
class Reading:
    """CPU seconds for each Plan of a list."""

    take: float
    """Of the operator, for a Plan of its own: the answer, its JSON, the cache, the queue."""
    discard: float
    """Of the operator, for one that another replica has."""
    server: float
    """Of the API server."""


class _Others(NoElection):
    """Owns no Plan, and computes the range of each, as one of many replicas does."""

    def owns(self, uid: str) -> bool:
        return range_of(uid, _RANGES) < 0


async def read(server: Server) -> Reading:
    """Read all Plans as an operator does that has just started, first as the only replica, then as one without any."""
    before = server.cpu_seconds()
    take, number = await _read(server, NoElection())
    discard, again = await _read(server, _Others())
    return Reading(take / number, discard / again, (server.cpu_seconds() - before) / (number + again))


async def _read(server: Server, leadership: Leadership) -> tuple[float, int]:
    """Return the CPU seconds of this process, and how many Plans there are."""
    suspects, metrics = Suspects(Journal(Path("unused"))), Metrics(CollectorRegistry())
    operator = Operator.build(Settings(), server.connection, leadership, metrics, suspects)
    number, began = 0, time.process_time()
    with _as_an_operator():
        async for page in server.pages():
            number += len(page)
            for body in page:
                operator.seen(None, body)
    return time.process_time() - began, number


@contextmanager
def _as_an_operator() -> Iterator[None]:
    """Collect garbage as seldom as its process does, and nothing of what the benchmark has loaded."""
    gc.collect()
    gc.freeze()
    threshold = gc.get_threshold()
    collect_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()
