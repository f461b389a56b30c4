"""The work that grows with the number of Plans, each on its own and without a cluster.

A case does its work for a number; one that has to prepare it returns the part to measure.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from benchmarks.operator.memory import listed
from execloop.controller.api.v1alpha1 import API_VERSION, KIND
from execloop.controller.plancode.clients import Clients
from execloop.controller.plancode.redaction.redactor import Redactor
from execloop.controller.reconcile.inputs.dependencies import Dependencies
from execloop.controller.watch.cache import Cache, Change, Key
from execloop.controller.watch.drift import DriftWatches, WatchedKind
from execloop.controller.watch.references import Reference, References
from execloop.controller.watch.workqueue import Priority, WorkQueue
from execloop.kube import PLAN_UID_LABEL, Cluster, Connection, Kube
from execloop.kube.config.credentials import StaticCredentials

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CASES"]

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


def waiting(number: int) -> Callable[[], None]:
    """So many Plans wait for one that they depend on, and for half a minute at the latest; it becomes Ready."""
    one, queue = Reference(API_VERSION, KIND, "team", "base"), WorkQueue[Key]()
    found = References(_NOWHERE, (), lambda key, _metadata: queue.add(key, priority=Priority.WORK))
    for each in range(number):
        found.refer(_key(each), [one])
        queue.add(_key(each), after=30.0)

    def work() -> None:
        found.changed(one, {})
        _empty(queue)

    return work


def start(number: int) -> Callable[[], None]:
    """List all Plans, and take each out of the queue."""
    bodies = _listed(number)

    def work() -> None:
        cache, queue = Cache(), WorkQueue[Key]()
        _list(bodies, cache, queue)
        _empty(queue)

    return work


def relist(number: int) -> Callable[[], None]:
    """List all Plans again, of which none has changed: after a gap of the watch."""
    bodies, cache, queue = _listed(number), Cache(), WorkQueue[Key]()
    _list(bodies, cache, queue)
    return lambda: _list(bodies, cache, queue)


def _listed(number: int) -> list[dict[str, Any]]:
    return [json.loads(listed(each)) for each in range(number)]


def _list(bodies: list[dict[str, Any]], cache: Cache, queue: WorkQueue[Key]) -> None:
    for body in bodies:
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        if cache.put(key, body, listed=True) is not Change.NOTHING:
            queue.add(key, priority=Priority.CHECK)


def _empty(queue: WorkQueue[Key]) -> None:
    while (key := queue.pop()) is not None:
        queue.done(key)


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
    waiting,
    start,
    relist,
    secret_values,
    secret_text,
)
