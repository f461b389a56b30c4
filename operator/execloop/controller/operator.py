"""The operator's life: wait for the API server and the CRD, watch, work, and on a signal stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import kopf

from execloop.controller.admit import Admissions
from execloop.controller.assembly import assemble
from execloop.controller.clients import Clients
from execloop.controller.drift import DriftWatches
from execloop.controller.handlers import settings_for, watching
from execloop.controller.health import Health
from execloop.controller.plancode import PlanCode
from execloop.controller.queue import WorkQueue
from execloop.controller.references import Reference, References
from execloop.controller.resource import API_VERSION, KIND, PLURAL
from execloop.controller.retry import backoff
from execloop.controller.sweep import sweep
from execloop.controller.track import Cache, Key
from execloop.kube import ApiError, Connection, Kube
from execloop.registry import Registry

if TYPE_CHECKING:
    from execloop.controller.reconciler import Reconciler
    from execloop.controller.settings import Settings

__all__ = ["run"]

logger = logging.getLogger(__name__)

_RETRY = 2.0
_GRACE = 5.0
_SETTLE = 0.2  # what changes together is looked at together
_HALF = 0.5


@dataclass(slots=True)
class Operator:
    settings: Settings
    connection: Connection
    cache: Cache
    queue: WorkQueue[Key]
    code: PlanCode
    reconciler: Reconciler
    drift: DriftWatches
    references: References

    @classmethod
    def build(cls, settings: Settings, connection: Connection) -> Operator:
        registry = Registry.load(settings.plans)
        for origin, message in registry.failures.items():
            logger.error("plans from %s are not available: %s", origin, message)
        logger.info("plans: %s", ", ".join(registry.names()) or "none")
        kube, cache, queue = Kube(connection), Cache(), WorkQueue[Key]()
        code = PlanCode(settings.workers, settings.max_threads, lambda key: queue.add(Key(*key)))  # type: ignore[misc]

        def drifted(key: Key) -> None:
            if reconciler.drifted(key):
                queue.add(key, _SETTLE)

        def referred(key: Key, metadata: dict[str, Any]) -> None:
            if reconciler.referred(key, metadata):
                queue.add(key)

        drift = DriftWatches(kube, settings.namespaces, drifted)
        references = References(kube, settings.namespaces, referred)
        reconciler = assemble(
            Admissions(registry, settings.access), cache, code, kube, Clients(connection), references, drift.declare
        )
        return cls(settings, connection, cache, queue, code, reconciler, drift, references)

    def seen(self, kind: str | None, body: dict[str, Any]) -> None:
        """One event of the watch. A list after a gap has no type, and does not tell what was deleted meanwhile."""
        metadata = body["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        if kind == "DELETED":
            self.cache.drop(key, metadata["uid"])
            self.queue.forget(key)
            self.drift.forget(key)
            self.references.forget(key)
        elif self.cache.put(key, body):
            self.reconciler.interrupt(key)
            self.queue.add(key, priority=0 if kind else 1)
        self.references.told(Reference(API_VERSION, KIND, *key), metadata)

    async def dispatch(self) -> None:
        """A task for each key in work; plan code has its own bound, blocked plans must not use up this one."""
        places = asyncio.Semaphore(self.settings.workers + self.settings.max_threads)
        tasks: set[asyncio.Task[None]] = set()
        while True:
            await places.acquire()
            key = await self.queue.get()
            task = asyncio.create_task(self._work(key))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _: places.release())

    async def _work(self, key: Key) -> None:
        after: float | None = None
        track = self.cache.get(key)
        try:
            after = await self.reconciler.reconcile(key)
            if track is not None:
                track.failures = 0
        except ApiError as error:
            after = self._retry(key, error)
            logger.warning("the API server: %s; trying again in %.0f s", error, after, extra={"plan": str(key)})
        except Exception:
            after = self._retry(key, None)
            logger.exception("a fault of the operator; trying again in %.0f s", after, extra={"plan": str(key)})
        finally:
            self.queue.done(key, after, priority=1)

    def _retry(self, key: Key, error: ApiError | None) -> float:
        track = self.cache.get(key)
        failures = 1
        if track is not None:
            track.failures += 1
            failures = track.failures
        wait = backoff(1.0, 30.0, failures, lambda: _HALF)
        return max(wait, error.retry_after or 0.0) if error else wait

    async def drain(self) -> None:
        """Runs stop at their next task boundary, blocked plan code gets 5 s, what only memory holds is written."""
        await self.reconciler.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self.queue.idle()
        for key in self.cache:
            try:
                await self.reconciler.save(key)
            except ApiError as error:
                logger.warning("not saved: %s", error, extra={"plan": str(key)})


async def run(settings: Settings) -> int:
    """Until SIGTERM or SIGINT: 0. Or until the watch ends: 1, so that it is started again."""
    connection = Connection.load(settings.kubeconfig)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    operator = Operator.build(settings, connection)
    health = Health(operator.queue, PLURAL)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        stack.push_async_callback(operator.drift.close)
        stack.push_async_callback(operator.references.close)
        if settings.health_port is not None:
            await stack.enter_async_context(health.served(settings.health_port))
        if not await _until_ready(Kube(connection), settings.namespaces, stop):
            return 0
        for service in (operator.dispatch, operator.code.watch, lambda: sweep(Kube(connection), operator.cache)):
            stack.push_async_callback(_end, asyncio.create_task(service()))
        return await _watch(operator, settings, health, stop)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _watch(operator: Operator, settings: Settings, health: Health, stop: asyncio.Event) -> int:
    ready = asyncio.Event()
    health.ready = ready
    scope: dict[str, Any] = {"namespaces": settings.namespaces} if settings.namespaces else {"clusterwide": True}
    logger.info("watching Plans in %s", ", ".join(settings.namespaces) or "all namespaces")
    try:
        await kopf.operator(
            registry=watching(operator.connection, operator.seen, operator.drain),
            # Kopf's own asks for the user's name, and a container's user may have none.
            identity="execloop",  # type: ignore[arg-type]  # a NewType that Kopf keeps to itself
            settings=settings_for(),
            standalone=True,
            stop_flag=stop,
            ready_flag=ready,
            **scope,
        )
    except Exception as error:  # noqa: BLE001 - whatever ended it: nothing is lost by starting again
        logger.error("the watch of Plans ended: %s: %s", type(error).__name__, error)  # noqa: TRY400 - one clear line
        await operator.drain()
        return 1
    return 0  # Kopf took the signals over, and returns without an error only after one of them


async def _until_ready(kube: Kube, namespaces: tuple[str, ...], stop: asyncio.Event) -> bool:
    """Whether the API server answers, knows Plans and lets them be read. False when stopped.

    Says what it waits for, once a cause.
    """
    said = ""
    while not stop.is_set():
        problem = await _problem(kube, namespaces)
        if not problem:
            return True
        if problem != said:
            logger.warning("%s; trying again every %.0f s", problem, _RETRY)
            said = problem
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _RETRY)
    return False


async def _problem(kube: Kube, namespaces: tuple[str, ...]) -> str:
    """Asks only where it is to watch: elsewhere it may have no rights."""
    try:
        for place in [f"namespaces/{namespace}/" for namespace in namespaces] or [""]:
            await kube.request("GET", f"/apis/{API_VERSION}/{place}{PLURAL}", query={"limit": "1"})
    except ApiError as error:
        if error.status == 404:  # noqa: PLR2004 - Not Found
            return "the CRD of Plans is not there: kubectl apply -f crds/"
        return f"the API server: {error}"
    return ""
