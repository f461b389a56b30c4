"""The operator at work: what the watch tells becomes keys in the queue, each key a reconcile."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from execloop._plans.registry import Registry
from execloop.controller.api.v1alpha1 import API_VERSION, KIND
from execloop.controller.backoff import backoff
from execloop.controller.manager.builder import assemble
from execloop.controller.manager.leadership import WhileHeld
from execloop.controller.plancode.clients import Clients
from execloop.controller.plancode.host import PlanHost
from execloop.controller.reconcile.validation import Validator
from execloop.controller.watch.cache import Cache, Key
from execloop.controller.watch.drift import DriftWatches
from execloop.controller.watch.references import Reference, References
from execloop.controller.watch.workqueue import WorkQueue
from execloop.kube import ApiError, Kube, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Hashable

    from execloop.controller.manager.leadership import Leadership
    from execloop.controller.manager.metrics import Metrics, Result
    from execloop.controller.reconcile.reconciler import Reconciler
    from execloop.controller.settings import Settings
    from execloop.kube import Connection

__all__ = ["Operator"]

logger = logging.getLogger(__name__)

_GRACE = 5.0
_STUCK = 60.0
_SETTLE = 0.2  # what changes together is looked at together
_HALF = 0.5


@dataclass(slots=True)
class Operator:
    leadership: Leadership
    metrics: Metrics
    connection: Connection
    cache: Cache
    queue: WorkQueue[Key]
    code: PlanHost
    reconciler: Reconciler
    drift: DriftWatches
    references: References
    places: asyncio.Semaphore
    unlisted: set[str | None]
    """Namespaces, None for all of them, whose Plans were not listed yet."""
    working: set[asyncio.Task[None]] = field(default_factory=set)
    in_place: set[Key] = field(default_factory=set)
    """Keys in work that hold a place."""

    @classmethod
    def build(cls, settings: Settings, connection: Connection, leadership: Leadership, metrics: Metrics) -> Operator:
        connection = connection.guarded(leadership.require)
        registry = Registry.load(settings.plans)
        for origin, message in registry.failures.items():
            logger.error("plans from %s are not available: %s", origin, message)
        logger.info("plans: %s", ", ".join(registry.names()) or "none")
        kube, cache, queue = Kube(connection), Cache(), WorkQueue[Key](waited=metrics.waited)

        def free(key: Hashable) -> None:
            queue.add(Key(*key))  # type: ignore[misc]  # no other keys are called for

        def long(key: Hashable) -> None:
            operator.give_place_up(Key(*key))  # type: ignore[misc]

        code = PlanHost(settings.workers, settings.max_threads, free, long)

        def drifted(key: Key) -> None:
            if reconciler.drifted(key):
                queue.add(key, _SETTLE)

        def referred(key: Key, metadata: dict[str, Any]) -> None:
            if reconciler.referred(key, metadata):
                queue.add(key)

        drift = DriftWatches(kube, settings.namespaces, drifted, metrics.restarts("drift"))
        references = References(kube, settings.namespaces, referred, metrics.restarts("references"))
        reconciler = assemble(
            Validator(registry, settings.access),
            cache,
            code,
            kube,
            Clients(connection),
            references,
            drift.declare,
            stop=lambda: WhileHeld(lambda: leadership.held),
            ran=metrics.ran,
            trust_secrets_policy=settings.trust_secrets_policy,
        )
        # Plan code has its own bound; what takes long must not use up this one.
        places = asyncio.Semaphore(settings.workers + settings.max_threads)
        unlisted = set(settings.namespaces or (None,))
        operator = cls(
            leadership, metrics, connection, cache, queue, code, reconciler, drift, references, places, unlisted
        )
        return operator

    def seen(self, kind: str | None, body: dict[str, Any]) -> None:
        """One event of the watch; what a list finds has no type, and waits for what has changed."""
        metadata = body["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        if kind == "DELETED":
            self._gone(key, metadata["uid"])
        elif self.cache.put(key, body):
            self.reconciler.interrupt(key)
            self.queue.add(key, priority=0 if kind else 1)
        self.references.told(Reference(API_VERSION, KIND, *key), metadata)

    def listed(self, namespace: str | None, present: set[Key]) -> None:
        """What is known, and not among those that are there, was deleted while the watch had a gap."""
        for key in self.cache:
            if (namespace is None or key.namespace == namespace) and key not in present:
                self._gone(key)
        self.unlisted.discard(namespace)

    def _gone(self, key: Key, uid: str | None = None) -> None:
        self.cache.drop(key, uid)
        self.queue.forget(key)
        self.drift.forget(key)
        self.references.forget(key)

    def unready(self) -> str:
        return "Plans are not listed yet" if self.unlisted else ""

    def stuck(self) -> str:
        """Says so when what is due is left lying, though there is a place for it."""
        overdue = self.queue.overdue()
        return f"the queue has not moved for {overdue:.0f} s" if overdue > _STUCK and not self.places.locked() else ""

    async def dispatch(self) -> None:
        """A task for each key in work."""
        while True:
            await self.places.acquire()
            key = await self.queue.get()
            self.in_place.add(key)
            task = asyncio.create_task(self._work(key))
            self.working.add(task)
            task.add_done_callback(partial(self._done, key))

    def _done(self, key: Key, task: asyncio.Task[None]) -> None:
        self.working.discard(task)
        self.give_place_up(key)

    def give_place_up(self, key: Key) -> None:
        """Its plan code takes long: others begin meanwhile, however many of these there are."""
        if key in self.in_place:
            self.in_place.remove(key)
            self.places.release()

    async def _work(self, key: Key) -> None:
        after: float | None = None
        track, told = self.cache.get(key), partial(self._told, time.perf_counter())
        try:
            self.leadership.require()
            after = await self.reconciler.reconcile(key)
            told("done" if after is None else "requeued")
            if track is not None:
                track.failures = 0
        except LeaseLost:
            logger.debug("left to the next leader", extra={"plan": str(key)})
        except ApiError as error:
            told("api_error")
            after = self._retry(key, error)
            logger.warning("the API server: %s; trying again in %.0f s", error, after, extra={"plan": str(key)})
        except Exception:
            told("fault")
            after = self._retry(key, None)
            logger.exception("a fault of the operator; trying again in %.0f s", after, extra={"plan": str(key)})
        finally:
            self.queue.done(key, after, priority=1)

    def _told(self, began: float, result: Result) -> None:
        self.metrics.reconciled(result, time.perf_counter() - began)

    def _retry(self, key: Key, error: ApiError | None) -> float:
        track = self.cache.get(key)
        failures = 1
        if track is not None:
            track.failures += 1
            failures = track.failures
        wait = backoff(1.0, 30.0, failures, lambda: _HALF)
        return max(wait, error.retry_after or 0.0) if error else wait

    async def drain(self) -> bool:
        """Runs stop at their next task boundary, blocked plan code gets 5 s, what only memory holds is written.

        Whether nothing is left that may still do something.
        """
        await self.reconciler.close()
        try:
            async with asyncio.timeout(_GRACE):
                await self.queue.idle()
        except TimeoutError:
            logger.warning("plan code still runs after %.0f s, and is left behind", _GRACE)
        for key in self.cache:
            try:
                await self.reconciler.save(key)
            except (ApiError, LeaseLost) as error:
                logger.warning("not saved: %s", error, extra={"plan": str(key)})
        return not self.working

    async def close(self) -> None:
        await self.drift.close()
        await self.references.close()
