"""The adapter: one process of the operator, put together as `Operator.build` does, on the simulation's seams.

All that the simulation knows of how the operator is made stands here.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
import traceback
import uuid
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from prometheus_client import CollectorRegistry

from execloop._engine.runtime import clock as engine_clock
from execloop._engine.runtime.threads import Threads
from execloop.controller.manager import controller
from execloop.controller.manager.builder import assemble
from execloop.controller.manager.controller import Operator
from execloop.controller.manager.leadership import share
from execloop.controller.manager.metrics import Metrics
from execloop.controller.plancode import host
from execloop.controller.plancode.call import CALL
from execloop.controller.plancode.crashes.journal import Journal
from execloop.controller.plancode.crashes.suspects import Suspects
from execloop.controller.settings import Settings
from execloop.controller.timing import Times
from execloop.controller.watch.plans import _TIMES, _Receiver
from execloop.controller.watch.workqueue import WorkQueue
from execloop.kube import Census, Lease, LeaseTimes, Shards, Stream, Undivided
from tests.simulation.feed import Feed, FeedFaults, Told
from tests.simulation.network import Link, Network
from tests.simulation.processes import EPOCH, Process, Strands, current
from tests.simulation.work import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from execloop._plans.registry import Registry
    from execloop.testing import FakeClock
    from tests.simulation.referee import Referee
    from tests.simulation.story import Story
    from tests.simulation.work import Sites

__all__ = ["Replica", "logged", "virtual_time"]

_METRICS = Metrics(CollectorRegistry())
_RESTART = 2.0


class Replica:
    """A place where processes run, one after another."""

    def __init__(
        self,
        name: str,
        network: Network,
        sites: Sites,
        referee: Referee,
        clock: FakeClock,
        chance: Random,
        feed_faults: Callable[[], FeedFaults],
        lease_seconds: int = 15,
        shards: tuple[int, ...] = (1,),
        joins: float = 0.0,
    ) -> None:
        self.name, self.network, self.sites, self.referee = name, network, sites, referee
        self.clock, self.chance, self.feed_faults, self.lease_seconds = clock, chance, feed_faults, lease_seconds
        self.shards, self.joins = shards, joins
        self.process: Process | None = None
        self.operator: Operator | None = None
        """Of the process that leads."""
        self.offset = 0.0
        self.version = "1"
        self._stopping = asyncio.Event()
        self._numbers = itertools.count(1)

    async def live(self) -> None:
        """Start a process whenever there is none, from the time on at which it joins."""
        await asyncio.sleep(self.joins)
        while True:
            self._stopping = asyncio.Event()
            self.process = process = Process(f"{self.name}{next(self._numbers)}", self.offset)
            self.network.story.tell(process.name, "starts")
            process.run(lambda process=process: self._main(process))  # type: ignore[misc]
            why = await process.ended
            self.operator = None
            self.referee.died(process)
            self.network.story.tell(process.name, f"is gone: {why}")
            await asyncio.sleep(_RESTART * (0.5 + self.chance.random()))

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill("killed")

    def terminate(self) -> None:
        """SIGTERM."""
        self._stopping.set()

    def jump(self, seconds: float) -> None:
        """The wall clock of its machine is set."""
        self.offset += seconds
        if self.process is not None:
            self.process.offset = self.offset

    async def _main(self, process: Process) -> str:
        link = Link(self.network, process)
        lease = self._leadership(link)
        self.referee.owns[process] = lambda uid: lease.held and lease.owns(uid)
        stopping = asyncio.create_task(self._stopping.wait())
        acquiring = asyncio.create_task(lease.acquire())
        await asyncio.wait((acquiring, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not acquiring.done():
            return "stopped"
        self.network.story.tell(process.name, "leads")
        self.operator = operator = self._build(link, lease)
        told = Told(process, self.network, operator)
        self.referee.told[process] = told.newest
        feed = Feed(process, self.network, self.feed_faults, self.chance)
        plans = Stream(feed, _Receiver(None, told), times=_TIMES, chance=self.chance.random, early=True)
        if isinstance(lease, Shards):
            share(lease, operator, plans.relist)
        keeping = asyncio.create_task(lease.keep())
        services = [asyncio.create_task(plans.run()), asyncio.create_task(operator.dispatch())]
        await asyncio.wait((keeping, stopping, *services), return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            return f"the Lease is lost: {keeping.result()}"
        for service in services:
            if service.done():
                return f"a service ended: {service.exception()!r}"
        drained = await operator.drain()
        if drained:
            keeping.cancel()
            await lease.release()
        return "stopped"

    def _leadership(self, link: Link) -> Shards | Undivided:
        times, clock, chance = LeaseTimes.lasting(self.lease_seconds), self.clock.monotonic, self.chance.random
        base, place = "execloop", "system"
        if (ranges := self.chance.choice(self.shards)) > 1:
            return Shards(link, base, place, ranges, times, monotonic=clock, now=time.time, chance=chance)
        lease = Lease(link, base, place, times, monotonic=clock, now=time.time, chance=chance)
        return Undivided(lease, Census(link, base, place, 1, times, clock))

    def _build(self, link: Link, lease: Shards | Undivided) -> Operator:
        times = Times(time.time, self.clock.monotonic, self.chance.random)
        clock = self.clock.monotonic

        class Queue(WorkQueue[Any]):
            def __class_getitem__(cls, _key: object) -> type[Queue]:
                return cls

            def __init__(self, **options: Any) -> None:
                super().__init__(clock, **options)

        class Plans:
            @staticmethod
            def load(_folders: object) -> Registry:
                return registry(self.sites, self.version)

        def assembled(*parts: Any, **options: Any) -> Any:
            return partial(assemble, times=times)(*parts, **options)

        suspects = Suspects(Journal(Path("none")), clock)  # nothing is read there after a crash
        with (
            patch.object(controller, "assemble", assembled),
            patch.object(controller, "Registry", Plans),
            patch.object(controller, "WorkQueue", Queue),
        ):
            return Operator.build(Settings(workers=3, max_threads=5), link, lease, _METRICS, suspects)


class _PlansLoop:
    """In place of the plans' own event loop in a thread of its own: the one loop that there is."""

    def __init__(self, _threads: object, _gaps: object, _new_loop: object) -> None:
        self.loop = asyncio.get_running_loop()
        self.calls: dict[Any, Any] = {}
        self._roots: dict[Any, asyncio.Task[Any]] = {}

    def start(self, call: Any, make: Callable[[], Any], settle: Callable[[Any], object]) -> None:
        async def outcome() -> tuple[Any, BaseException | None]:
            try:
                return await make(), None
            except BaseException as error:
                return None, error

        def ended(root: asyncio.Task[Any]) -> None:
            del self._roots[call]
            settle((None, asyncio.CancelledError()) if root.cancelled() else root.result())
            call.leave_loop()

        call.on_loop = True
        context = copy_context()
        context.run(CALL.set, call)
        root = self._roots[call] = self.loop.create_task(outcome(), context=context)
        root.add_done_callback(ended)

    def cut(self, call: Any) -> None:
        call.cut = True
        if call in self._roots:
            self._roots[call].cancel()


class Log(logging.Handler):
    """What the operator logs, as a part of the story; a fault of its own breaks a rule."""

    def __init__(self, story: Story, referee: Referee) -> None:
        super().__init__(logging.WARNING)
        self._story, self._referee = story, referee

    def emit(self, record: logging.LogRecord) -> None:
        process = current()
        if process is None or not process.alive:
            return
        message = record.getMessage()
        where = getattr(record, "plan", "")
        self._story.tell(process.name, f"   log: {message} {where}")
        if any(secret in message for secret in self._referee.secrets):
            self._referee.blame("leak", "a secret was logged", where)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and record.levelno >= logging.ERROR:
            frames = traceback.extract_tb(error.__traceback__)
            at = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-3:])
            self._referee.blame("fault", f"{error!r} at {at}", where)


@contextmanager
def logged(story: Story, referee: Referee) -> Iterator[None]:
    logger, handler = logging.getLogger("execloop"), Log(story, referee)
    before = logger.propagate, logger.level
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate, _ = before


@contextmanager
def virtual_time(clock: FakeClock, loop: asyncio.AbstractEventLoop, chance: Random) -> Iterator[None]:
    """For as long as a life lasts: whoever asks for time, threads or chance gets the simulation's."""

    def wall() -> float:
        process = current()
        return EPOCH + clock.now() + (process.offset if process else 0.0)

    def alarm(_self: object, seconds: float, callback: Callable[[], None]) -> Callable[[], object]:
        return loop.call_later(seconds, callback).cancel

    def unique() -> uuid.UUID:
        return uuid.UUID(int=chance.getrandbits(128), version=4)

    system = engine_clock.SystemClock
    with ExitStack() as stack:
        for target, name, value in (
            (time, "time", wall),
            (time, "monotonic", clock.monotonic),
            (system, "now", staticmethod(wall)),
            (system, "monotonic", staticmethod(clock.monotonic)),
            (system, "alarm", alarm),
            (Threads, "start", lambda _self, work: Strands.start(work)),
            (host, "PlansLoop", _PlansLoop),
            (uuid, "uuid4", unique),
            (secrets, "token_hex", lambda count=8: f"{chance.getrandbits(8 * count):0{2 * count}x}"),
        ):
            stack.enter_context(patch.object(target, name, value))
        yield
