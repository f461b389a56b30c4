"""How the operator's own work grows with the number of Plans: CPU seconds at 1x, 10x and 100x, and the exponent.

    python -m benchmarks.scale

An exponent of 1 is linear. It is fitted to the logarithms; more than 1.25 fails. No cluster is needed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import statistics
import sys
import time
from typing import TYPE_CHECKING, cast

from benchmarks.operator.memory import listed
from execloop.controller.api.v1alpha1 import API_VERSION, KIND
from execloop.controller.plancode.clients import Clients
from execloop.controller.plancode.redaction.redactor import Redactor
from execloop.controller.reconcile.inputs.dependencies import Dependencies
from execloop.controller.watch.cache import Cache, Key
from execloop.controller.watch.drift import DriftWatches, WatchedKind
from execloop.controller.watch.references import Reference, References
from execloop.controller.watch.workqueue import Priority, WorkQueue
from execloop.kube import PLAN_UID_LABEL, Cluster, Connection, Kube
from execloop.kube.config.credentials import StaticCredentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIZES = (100, 1_000, 10_000)
_MOST = 1.25
_CONFIG_MAP = WatchedKind("v1", "ConfigMap")
_NOWHERE = Kube(Connection(Cluster("http://127.0.0.1:1", StaticCredentials())))
"""Nothing here asks it: what would watch is cancelled before it begins."""


def _key(number: int) -> Key:
    return Key("team", f"plan-{number}")


def references(number: int) -> None:
    """Each Plan refers to the one before it; each changes once; all are forgotten."""
    found = References(_NOWHERE, (), lambda _key, _metadata: None)
    for each in range(number):
        found.refer(_key(each), [Reference(API_VERSION, KIND, *_key(each - 1))])
    for each in range(number):
        found.changed(Reference(API_VERSION, KIND, *_key(each)), {})
    for each in range(number):
        found.forget(_key(each))


def one_reference(number: int) -> None:
    """All Plans refer to one object, which changes once; all are forgotten."""
    found, one = References(_NOWHERE, (), lambda _key, _metadata: None), Reference(API_VERSION, KIND, "team", "base")
    for each in range(number):
        found.refer(_key(each), [one])
    found.changed(one, {})
    for each in range(number):
        found.forget(_key(each))


def drift(number: int) -> None:
    """Each Plan declares an object of its own, and each object changes once."""
    found = DriftWatches(_NOWHERE, (), lambda _key: None)
    for each in range(number):
        kinds = {_CONFIG_MAP: frozenset({("team", f"map-{each}")})}
        found._declare(_key(each), f"uid-{each}", kinds, "")  # noqa: SLF001 - what a thread's call comes to
    for each in range(number):
        labels = {PLAN_UID_LABEL: f"uid-{each}"}
        metadata = {"namespace": "team", "name": f"map-{each}", "labels": labels}
        found._changed(_CONFIG_MAP, "MODIFIED", metadata)  # noqa: SLF001
    for each in range(number):
        found.forget(_key(each))


def cluster_drift(number: int) -> None:
    """One Plan declares so many cluster-scoped objects, and each object changes once."""
    found, kind = DriftWatches(_NOWHERE, (), lambda _key: None), WatchedKind("v1", "Node")
    found._declare(_key(0), "uid", {kind: frozenset(("team", f"node-{each}") for each in range(number))}, "")  # noqa: SLF001
    for each in range(number):
        metadata = {"name": f"node-{each}", "labels": {PLAN_UID_LABEL: "uid"}}
        found._changed(kind, "MODIFIED", metadata)  # noqa: SLF001
    found.forget(_key(0))


def _depending(number: int, *, ring: bool) -> Cache:
    cache = Cache()
    for each in range(number):
        on = (each + 1) % number if ring or each + 1 < number else None
        spec = {"plan": "noop", "dependsOn": [] if on is None else [{"name": f"plan-{on}"}]}
        metadata = {"name": f"plan-{each}", "namespace": "team", "uid": str(each), "resourceVersion": "1"}
        cache.put(_key(each), {"metadata": metadata, "spec": spec}, listed=True)
    return cache


def chain(number: int) -> Callable[[], None]:
    """One look for a cycle in a chain of so many Plans."""
    cache = _depending(number, ring=False)
    return lambda: _look(cache)


def ring(number: int) -> Callable[[], None]:
    """One look for a cycle in a ring of so many Plans."""
    cache = _depending(number, ring=True)
    return lambda: _look(cache)


def _look(cache: Cache) -> None:
    Dependencies(Clients(_NOWHERE.connection), cache)._cycle(_key(0))  # noqa: SLF001 - the search alone


def start(number: int) -> Callable[[], None]:
    """List all Plans twice, as at the start and after a gap of the watch; then take each out of the queue."""
    bodies = [json.loads(listed(each)) for each in range(number)]

    def work() -> None:
        cache, queue = Cache(), WorkQueue[Key]()
        for _ in range(2):
            for body in bodies:
                key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
                cache.put(key, body, listed=True)
                queue.add(key, priority=Priority.CHECK)
        while (key_or_none := queue.pop()) is not None:
            queue.done(key_or_none)

    return work


def secret_values(number: int) -> None:
    """Make a redactor of so many secret values, and read a text of a kilobyte."""
    Redactor(f"user-{each:05}:{each * 7919:012x}" for each in range(number)).text("a line of a log " * 64)


def secret_text(number: int) -> Callable[[], None]:
    """Redact one text of so many times four characters, a secret among each ten of them."""
    made, text = (
        Redactor([f"secret-{each:03}" for each in range(100)]),
        "nine words and then a secret, secret-042; ",
    )
    return lambda: cast("None", made.text(text * (number // 10)))


CASES: tuple[Callable[[int], object], ...] = (
    references,
    one_reference,
    drift,
    cluster_drift,
    chain,
    ring,
    start,
    secret_values,
    secret_text,
)


async def measured(case: Callable[[int], object], number: int) -> float:
    """Return the CPU seconds of the best of three; a case may return the part to measure."""
    best = math.inf
    for _ in range(3):
        gc.collect()
        began = time.thread_time()
        work = case(number)
        if callable(work):
            began = time.thread_time()
            work()
        best = min(best, time.thread_time() - began)
        await asyncio.sleep(0)
    return best


def exponent(seconds: tuple[float, ...]) -> float:
    """Return the slope of the logarithms."""
    logarithms = [math.log(each) for each in seconds]
    return statistics.linear_regression([math.log(size) for size in _SIZES], logarithms).slope


def _rows() -> Iterator[tuple[str, tuple[float, ...]]]:
    for case in CASES:
        yield case.__name__.replace("_", " "), tuple(asyncio.run(measured(case, size)) for size in _SIZES)


def main() -> int:
    print("| |" + "".join(f" {size:,} |" for size in _SIZES) + " exponent |")
    print("|---|" + "---:|" * (len(_SIZES) + 1))
    worst = 0.0
    for name, seconds in _rows():
        slope = exponent(seconds)
        worst = max(worst, slope)
        print(f"| {name} |" + "".join(f" {1000 * each:.2f} ms |" for each in seconds) + f" {slope:.2f} |")
    return 1 if worst > _MOST else 0


if __name__ == "__main__":
    sys.exit(main())
