"""The operator: each event of a watch becomes a key in the queue, and each key a reconcile.

`process` makes one `Operator` and runs its dispatcher. It owns the cache, the queue and the workers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from execloop._plans.registry import Registry
from execloop.controller.api.v1alpha1 import API_VERSION, KIND
from execloop.controller.manager.builder import assemble
from execloop.controller.manager.leadership import WhileHeld
from execloop.controller.manager.tuning import loop_factory
from execloop.controller.plancode.clients import Clients
from execloop.controller.plancode.host import PlanHost
from execloop.controller.reconcile.commit import AtRest
from execloop.controller.reconcile.inputs.validation import Validator
from execloop.controller.timing import backoff
from execloop.controller.watch.cache import Cache, Change, Key
from execloop.controller.watch.cached_reads import CachedReads
from execloop.controller.watch.drift import DriftWatches
from execloop.controller.watch.references import Reference, References
from execloop.controller.watch.snapshot import FINALIZER
from execloop.controller.watch.workqueue import Priority, WorkQueue
from execloop.kube import ApiError, Kube, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from execloop.controller.manager.leadership import Leadership
    from execloop.controller.manager.metrics import Metrics, Result
    from execloop.controller.plancode.crashes.suspects import Suspects
    from execloop.controller.reconcile.commit import Requeue
    from execloop.controller.reconcile.execution.audience import Audience
    from execloop.controller.reconcile.reconciler import Reconciler
    from execloop.controller.settings import Settings
    from execloop.controller.watch.cache import PlanState
    from execloop.kube import Connection

__all__ = ["Operator"]

logger = logging.getLogger(__name__)

_GRACE = 5.0
_STUCK = 60.0
_SETTLE = 0.2  # what changes together is looked at together
_HALF = 0.5
_LOST = 30.0  # should a reconcile end in a way that none of the rules names
_SAVES = 20
_LEAVE = 30.0
_POLL = 0.05
_LINE = 2
_BATCH = 2  # a turn of the event loop costs something, and each reconcile that begins delays the others


@dataclass(slots=True)
class Operator:
    leadership: Leadership
    metrics: Metrics
    connection: Connection
    cache: Cache
    queue: WorkQueue[Key]
    code: PlanHost
    suspects: Suspects
    reconciler: Reconciler
    drift: DriftWatches
    references: References
    places: asyncio.Semaphore
    """Of reconciles at one moment."""
    spare: asyncio.Semaphore
    """Further places, for edits alone: they wait for no list, retry or check."""
    unlisted: set[str | None]
    """Namespaces, None for all of them, whose Plans were not listed yet."""
    audience: Audience | None = None
    working: set[asyncio.Task[None]] = field(default_factory=set)
    in_place: dict[Key, asyncio.Semaphore] = field(default_factory=dict)
    """Keys in work that hold a place, and of which."""
    _saving: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_SAVES))

    def __post_init__(self) -> None:
        self.cache.changed = self._changed

    @classmethod
    def build(
        cls,
        settings: Settings,
        connection: Connection,
        leadership: Leadership,
        metrics: Metrics,
        suspects: Suspects,
        audience: Audience | None = None,
    ) -> Operator:
        """Return an operator and the parts that it stands on; what the watches of objects find comes to its queue."""
        connection = connection.guarded(leadership.require)
        kube, cache = Kube(connection), Cache()

        def built() -> Operator:
            return operator

        code = _plan_host(settings, suspects, built)
        drift, references = _watches(settings, kube, cache, metrics, built)
        reconciler = assemble(
            Validator(_load(settings), settings.access),
            cache,
            code,
            kube,
            Clients(connection, CachedReads(drift.whole, metrics.read_cached)),
            references,
            drift.declare,
            stop=lambda: WhileHeld(lambda: leadership.held),
            ran=metrics.ran,
            refusal=suspects.refusal,
            returned=suspects.left,
            version=drift.version,
            trust_secrets_policy=settings.trust_secrets_policy,
            audience=audience,
        )
        # Plan code that takes long gives its place up. More at a time would only wait in line before an edit.
        places, spare = asyncio.Semaphore(_LINE * settings.workers), asyncio.Semaphore(settings.workers)
        queue, unlisted = WorkQueue[Key](waited=metrics.waited), set(settings.namespaces or (None,))
        parts = (reconciler, drift, references, places, spare, unlisted, audience)
        operator = cls(leadership, metrics, connection, cache, queue, code, suspects, *parts)
        return operator

    def free(self, key: Key) -> None:
        """Reconcile a Plan whose code may run again, or that no watch reports any longer what it waits for."""
        self.queue.add(key, priority=Priority.WORK)

    def drifted(self, key: Key) -> None:
        """Reconcile a Plan of which an object changed, if that concerns it."""
        if self.reconciler.drifted(key):
            self.queue.add(key, _SETTLE, Priority.WORK)

    def referred(self, key: Key, metadata: dict[str, Any]) -> None:
        """Reconcile a Plan that refers to an object that changed, if that concerns it."""
        if self.reconciler.referred(key, metadata):
            self.queue.add(key, priority=Priority.WORK)

    def seen(self, kind: str | None, body: dict[str, Any]) -> None:
        """One event of the watch; what a list finds has no type, and waits for what has changed."""
        metadata = body["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        if kind == "DELETED":
            self._gone(key, metadata["uid"], finalizers=metadata.get("finalizers") or ())
        elif not self.leadership.owns(metadata["uid"]):
            self._others(key, metadata["uid"])
        else:
            self.cache.put(key, body, listed=kind is None)
        self.references.changed(Reference(API_VERSION, KIND, *key), metadata)

    def _others(self, key: Key, uid: str) -> None:
        """Forget a Plan whose name went to one of another replica; one that is being given up ends in `leave`."""
        state = self.cache.get(key)
        if state is not None and state.uid != uid:
            self._gone(key)

    def _changed(self, key: Key, change: Change, listed: bool) -> None:
        self.reconciler.interrupt(key)
        self.queue.add(key, _wait(self.cache, key, change), priority=Priority.CHECK if listed else Priority.EDIT)

    def listed(self, namespace: str | None, present: set[Key]) -> None:
        """What is known, and not among those that are there, was deleted while the watch had a gap."""
        for key in self.cache:
            if (namespace is None or key.namespace == namespace) and key not in present:
                self._gone(key)
                self.references.changed(Reference(API_VERSION, KIND, *key), key._asdict())
        self.unlisted.discard(namespace)
        if not self.unlisted:
            known = {state.uid for state in map(self.cache.get, self.cache) if state is not None}
            self.suspects.forget_those(lambda uid: uid not in known and self.leadership.owns(uid))

    def _gone(self, key: Key, uid: str | None = None, finalizers: Sequence[str] = ()) -> None:
        state = self._drop(key, uid)
        if state is None:  # another Plan has the name already
            return
        self.suspects.forget(state.uid)
        if FINALIZER in finalizers and not state.snapshot.deleting:
            self.reconciler.lost(state)

    def _drop(self, key: Key, uid: str | None = None) -> PlanState | None:
        """Return the state of a Plan that this process no longer cares for; None when it has none of this uid."""
        state = self.cache.drop(key, uid)
        if state is not None:
            self.queue.forget(key)
            self.drift.forget(key)
            self.references.forget(key)
            if self.audience is not None:
                self.audience.forget(state.uid)
        return state

    def unready(self) -> str:
        return "Plans are not listed yet" if self.unlisted else ""

    def stuck(self) -> str:
        """Says so when what is due is left lying, though there is a place for it."""
        overdue = self.queue.overdue()
        return f"the queue has not moved for {overdue:.0f} s" if overdue > _STUCK and not self.places.locked() else ""

    async def dispatch(self) -> None:
        """A task for each key in work."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._dispatch(self.places, Priority.CHECK))
            group.create_task(self._dispatch(self.spare, Priority.EDIT))

    async def _dispatch(self, places: asyncio.Semaphore, worst: Priority) -> None:
        for begun in count(1):
            await places.acquire()
            key = await self.queue.get(worst)
            if self.reconciler.closing:
                self.queue.done(key)
                return
            self.in_place[key] = places
            self.working.add(task := asyncio.create_task(self._work(key)))
            task.add_done_callback(partial(self._done, key))
            if begun % _BATCH == 0:
                await asyncio.sleep(0)  # the watch and what is under way must not be late by all of them

    def _done(self, key: Key, task: asyncio.Task[None]) -> None:
        self.working.discard(task)
        self.give_place_up(key)

    def give_place_up(self, key: Key) -> None:
        """Its plan code takes long: others begin meanwhile, however many of these there are."""
        places = self.in_place.pop(key, None)
        if places is not None:
            places.release()

    async def _work(self, key: Key) -> None:
        state, done = self.cache.get(key), partial(self._reconciled, time.perf_counter())
        if state is not None and not (self.leadership.owns(state.uid) and self.suspects.may_begin(key, state.uid)):
            self.queue.done(key)  # its turn puts it into the queue, or it is given up
            return
        after: float | None = _LOST
        try:
            self.leadership.require()
            after = _after(await self.reconciler.reconcile(key))
            done("done" if after is None else "requeued")
            if state is not None:
                state.succeed()
        except LeaseLost:
            after = None
            logger.debug("left to the next leader", extra={"plan": str(key)})
        except ApiError as error:
            done("api_error")
            after = _retry(state, error)
            level = logging.DEBUG if error.not_found else logging.WARNING  # usually it was just deleted
            logger.log(level, "the API server: %s; trying again in %.0f s", error, after, extra={"plan": str(key)})
        except Exception:
            done("error")
            after = _retry(state, None)
            logger.exception("an error of the operator; trying again in %.0f s", after, extra={"plan": str(key)})
        finally:  # whatever leaves a reconcile, the key is requeued or at rest
            if state is not None:
                self.suspects.ended(key, state.uid)
            self.queue.done(key, after, Priority.CHECK if state is None or state.can_wait else Priority.WORK)

    def _reconciled(self, began: float, result: Result) -> None:
        self.metrics.reconciled(result, time.perf_counter() - began)

    def busy(self) -> bool:
        """Return whether Plans are due or at work, or not known yet: suspects wait for them."""
        return bool(self.unlisted or self.working or self.queue.depth())

    async def drain(self) -> bool:
        """Runs stop at their next task boundary, blocked plan code gets 5 s, what only memory holds is written.

        Whether nothing is left that may still do something.
        """
        await self.reconciler.close()
        try:
            async with asyncio.timeout(_GRACE):
                await self.queue.idle()
        except TimeoutError:
            logger.warning("plan code still runs after %.0f s: the process exits without waiting for it", _GRACE)
        try:
            async with asyncio.timeout(_GRACE):
                await asyncio.gather(*map(self._save, self.cache))
        except TimeoutError:
            logger.warning("not every status was saved within %.0f s", _GRACE)
        await asyncio.sleep(0)  # a task that has ended is taken out in the next turn
        return not self.working

    async def leave(self, theirs: Callable[[str], bool]) -> bool:
        """End all work on the Plans of these uids, save what only memory holds, and forget them.

        The leadership says already that they are not this process's. Return False when they are not ready to go: plan
        code does not end, or the API server does not take their status.
        """
        keys = self._keys(theirs)
        for key in keys:
            self.reconciler.halt(key)
        try:
            async with asyncio.timeout(_LEAVE):
                while any(map(self._is_at_work, keys)):  # noqa: ASYNC110 - a thread that returns sets no event
                    await asyncio.sleep(_POLL)
                saved = await asyncio.gather(*map(self._save, keys))
        except TimeoutError:
            return False
        if not all(saved):
            return False
        for key in keys:
            if (state := self._drop(key)) is not None:
                self.suspects.give_up(state.uid)
        return True

    def take_back(self, ours: Callable[[str], bool]) -> None:
        """Continue with the Plans of these uids that are known: they were to be left, or are new to this process."""
        self.drift.relist()
        for key in self._keys(ours):
            self.queue.add(key, priority=Priority.CHECK)

    def _keys(self, uids: Callable[[str], bool]) -> list[Key]:
        return [key for key in self.cache if (state := self.cache.get(key)) is not None and uids(state.uid)]

    def _is_at_work(self, key: Key) -> bool:
        """Return whether a reconcile of the Plan is under way, or abandoned code of it still runs."""
        state = self.cache.get(key)
        return (state is not None and state.under_way is not None) or key in self.code.barred

    async def _save(self, key: Key) -> bool:
        async with self._saving:
            try:
                await self.reconciler.save(key)
            except (ApiError, LeaseLost) as error:
                logger.warning("not saved: %s", error, extra={"plan": str(key)})
                return False
        return True

    async def close(self) -> None:
        await asyncio.gather(self.drift.close(), self.references.close())


def _load(settings: Settings) -> Registry:
    registry = Registry.load(settings.plans)
    for origin, message in registry.failures.items():
        logger.error("plans from %s are not available: %s", origin, message)
    logger.info("plans: %s", ", ".join(registry.names()) or "none")
    return registry


def _plan_host(settings: Settings, suspects: Suspects, operator: Callable[[], Operator]) -> PlanHost:
    def free(key: Hashable) -> None:
        operator().free(Key(*key))  # type: ignore[misc]  # no other keys are called for

    def long(key: Hashable) -> None:
        operator().give_place_up(Key(*key))  # type: ignore[misc]

    return PlanHost(settings.workers, settings.max_threads, free, long, suspects.note, new_loop=loop_factory())


def _watches(
    settings: Settings, kube: Kube, cache: Cache, metrics: Metrics, operator: Callable[[], Operator]
) -> tuple[DriftWatches, References]:
    def drifted(key: Key) -> None:
        operator().drifted(key)

    def referred(key: Key, metadata: dict[str, Any]) -> None:
        operator().referred(key, metadata)

    def owns(uid: str) -> bool:
        return operator().leadership.owns(uid)

    restarted = metrics.restarts("drift")
    drift = DriftWatches(kube, settings.namespaces, drifted, restarted, exists=cache.holds, owns=owns)
    references = References(
        kube,
        settings.namespaces,
        referred,
        metrics.restarts("references"),
        sees_all_plans=settings.sees_all_plans,
        unwatched=lambda key: operator().free(key),
    )
    return drift, references


def _after(requeue: Requeue) -> float | None:
    """Return the seconds until a key is due; None at rest."""
    return None if isinstance(requeue, AtRest) else requeue.seconds


def _retry(state: PlanState | None, error: ApiError | None) -> float:
    """Return the backoff of the operator's own requests, or what the API server asks for."""
    wait = backoff(1.0, 30.0, 1 if state is None else state.fail(), lambda: _HALF)
    return max(wait, error.retry_after or 0.0) if error else wait


def _wait(cache: Cache, key: Key, change: Change) -> float:
    """Return the seconds before a reconcile for a change: a client that writes the status must not keep it busy."""
    state = cache.get(key)
    if change is Change.CONCERN or state is None:
        return 0.0
    return backoff(_SETTLE, 30.0, state.foreign, lambda: _HALF)
