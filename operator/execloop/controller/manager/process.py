"""The life of the operator's process: wait for what it needs, stand by, lead, and stop in order at a signal.

The command calls `run`. It owns the connection, the Leases, the watch of Plans and the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from prometheus_client import disable_created_metrics

from execloop.controller.manager.controller import Operator
from execloop.controller.manager.crashes import Crashes, InJournal, SuspectRecord, open_journal
from execloop.controller.manager.departure import leave, leave_within
from execloop.controller.manager.leadership import Leadership, NoElection, elect, share
from execloop.controller.manager.metrics import Metrics
from execloop.controller.manager.preflight import missing_rights, problem
from execloop.controller.manager.probes import Probes, serve
from execloop.controller.manager.tuning import collect_nothing_loaded
from execloop.controller.manager.turns import take_turns
from execloop.controller.watch.cache import Key
from execloop.controller.watch.plans import PlanWatch
from execloop.kube import ConfigurationError, Connection, Shards

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from execloop.controller.reconcile.execution.audience import Audience
    from execloop.controller.settings import Settings

__all__ = ["Beside", "Elsewhere", "run"]

logger = logging.getLogger(__name__)

Elsewhere: TypeAlias = "Callable[[str, str, str], str | None]"
"""Takes namespace, name and uid of a Plan. Returns None when this process reconciles it, else the holder of the Lease
that it comes under; that is empty where it is not known."""


class Beside(Protocol):
    """What the process serves besides: the live page."""

    @property
    def audience(self) -> Audience: ...

    def serve(self, connection: Connection, elsewhere: Elsewhere) -> contextlib.AbstractAsyncContextManager[object]: ...


_RETRY = 2.0
_FAREWELL = 2.0
_LAST = 10.0
"""Seconds for an orderly stop: 5 for plan code that blocks, the rest to save what was done."""


async def run(settings: Settings, beside: Beside | None = None) -> int:
    """Until SIGTERM or SIGINT: 0. Or until the Lease is lost or the watch ends: 1, so that it is started again.

    `beside` serves something else of the same cluster, from the start to the end. Raises ConfigurationError.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, without a use
    metrics = Metrics()
    connection = Connection.load(settings.kubeconfig, answered=metrics.answered)
    if settings.election is not None and not settings.election.namespace:
        settings = replace(settings, election=replace(settings.election, namespace=connection.cluster.namespace))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(connection.close)
        process = Process(settings, connection, metrics, None if beside is None else beside.audience)
        if settings.health_port is not None:
            try:
                await stack.enter_async_context(serve(process.probes, metrics.registry, settings.health_port))
            except OSError as error:
                reason = os.strerror(error.errno) if error.errno else str(error)
                raise ConfigurationError(f"--health-port {settings.health_port}: {reason}") from None
        if beside is not None:
            await stack.enter_async_context(beside.serve(connection, process.elsewhere))
        return await process.live()


class Process:
    def __init__(
        self, settings: Settings, connection: Connection, metrics: Metrics, audience: Audience | None = None
    ) -> None:
        self.probes = Probes()
        self._settings, self._connection, self._metrics = settings, connection, metrics
        self._stop = asyncio.Event()
        self._leadership: Leadership = NoElection()
        journal = open_journal(settings, connection.cluster.server)
        record: SuspectRecord = InJournal(journal)
        if (election := settings.election) is not None:
            self._leadership, record = elect(connection, election)
        self._crashes = Crashes(journal, record)
        suspects = self._crashes.suspects
        self._operator = operator = Operator.build(settings, connection, self._leadership, metrics, suspects, audience)
        self._plans = PlanWatch(
            connection,
            settings.namespaces,
            operator,
            permitted=partial(missing_rights, connection),
            restarted=metrics.restarts("plans"),
            labels=settings.selector,
            shard=self._shard,
        )
        self._leads = False
        if isinstance(self._leadership, Shards):
            share(self._leadership, operator, self._plans.relist)
            metrics.observe_shards(self._leadership.ownership)
        metrics.observe_contents(lambda: operator.drift.contents.bytes)
        metrics.observe_state(
            leader=lambda: self._leads and self._leadership.held,
            queue_depth=operator.queue.depth,
            in_progress=lambda: len(operator.working),
            blocked=lambda: len(operator.code.barred),
            suspected=lambda: len(suspects),
            waiting_calls=lambda: operator.code.waiting,
            conditions=operator.cache.conditions,
        )

    def elsewhere(self, namespace: str, name: str, uid: str) -> str | None:
        """Return None when this process reconciles the Plan, else who does, as far as it is known."""
        if self._leads and self._leadership.held and self._operator.cache.holds(Key(namespace, name), uid):
            return None
        return self._leadership.holder(uid)

    def _shard(self) -> str:
        """Return the `shardSelector` of this process; empty where the API server is not asked to filter."""
        election, shards = self._settings.election, self._leadership
        asked = election is not None and election.shard_selector
        return shards.selector if asked and isinstance(shards, Shards) else ""

    async def live(self) -> int:
        self._obey_signals()
        try:
            if await self._unless_stopped(self._prepare()) and await self._unless_stopped(self._stand_by()):
                return await self._lead()
        finally:
            self._crashes.settle()
            await self._operator.close()
        return 0

    def _obey_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._ask_to_stop, number.name)

    def _ask_to_stop(self, why: str) -> None:
        if not self._stop.is_set():
            logger.info("%s: stopping; runs end at their next task, and every status is saved", why)
        self._crashes.settle()
        self._stop.set()

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether it was done; it is cancelled when the process is to stop."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        done = working.done()
        await _end((working, stopping))
        if done:
            await working
        return done

    async def _prepare(self) -> None:
        """Wait for what the operator cannot work without; say what that is, once a cause."""
        said = ""
        while found := await problem(self._connection, self._settings.namespaces, self._settings.election):
            if found != said:
                logger.warning("%s; trying again every %.0f s", found, _RETRY)
                said = found
                self.probes.unready = partial(str, found)
            await asyncio.sleep(_RETRY)
        await self._crashes.report()

    async def _stand_by(self) -> None:
        self.probes.unready = lambda: self._leadership.problem
        if self._settings.election:
            logger.info("a candidate for the Lease %s", self._leadership)
        await self._leadership.acquire()
        if self._settings.election:
            logger.info("leading: holds the Lease %s", self._leadership)

    async def _lead(self) -> int:
        operator, end = self._operator, asyncio.Event()
        self._leads = True
        collect_nothing_loaded()
        self._crashes.begin()
        self.probes.unready, self.probes.unwell = (lambda: self._plans.problem or operator.unready()), operator.stuck
        self._metrics.observe_watches(self._plans.up)
        keeping = asyncio.create_task(self._leadership.keep())
        stopping = asyncio.create_task(self._stop.wait())
        watch = asyncio.create_task(self._watch(end), name="the watch of Plans")
        services = [
            watch,
            asyncio.create_task(operator.dispatch(), name="the dispatcher"),
            asyncio.create_task(
                take_turns(operator.suspects, operator.queue, operator.busy), name="the turns of suspects"
            ),
            asyncio.create_task(self._crashes.keep(), name="the record of suspects"),
            asyncio.create_task(operator.code.watch(), name="the watch of plan code"),
        ]
        try:
            await asyncio.wait((keeping, stopping, *services), return_when=asyncio.FIRST_COMPLETED)
            self._crashes.settle()
            self.probes.unready, self.probes.unwell = (lambda: "stopping"), (lambda: "")
            leave_within(_LAST, 1)
            code = await self._stopped(keeping, services)
            end.set()
            await asyncio.wait((watch,), timeout=_FAREWELL)
            return code
        finally:
            await _end((keeping, stopping, *services))

    async def _stopped(self, keeping: asyncio.Task[str], services: Iterable[asyncio.Task[None]]) -> int:
        """The exit code, once all is in order for the next leader, or the Lease is lost."""
        if keeping.done():
            logger.error("the Lease %s is lost: %s; exiting", self._leadership, keeping.result())
            leave(1)  # at once: another may lead, and plan code of ours must not run beside its
        code = 0
        for service in services:
            if service.done() and (error := service.exception()) is not None:
                logger.error("%s ended: %s: %s", service.get_name(), type(error).__name__, error)
                logger.debug("%s ended", service.get_name(), exc_info=error)
                code = 1
        if await self._operator.drain():
            await _end((keeping,))
            await self._leadership.release()
        return code

    async def _watch(self, stop: asyncio.Event) -> None:
        place = ", ".join(self._settings.namespaces) or "all namespaces"
        labels = f" with the labels {self._settings.selector}" if self._settings.selector else ""
        logger.info("watching Plans in %s%s", place, labels)
        await self._plans.run(stop, self._obey_signals)


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
