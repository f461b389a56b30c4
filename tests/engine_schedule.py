"""Tasks that take time, performed by the engine on a virtual event loop, and simulated without it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from execloop import Execution, FatalError, Options, task
from execloop._engine.execution import Failed
from execloop._engine.run import Run
from execloop.testing import FakeClock
from tests.engine_model import creating
from tests.virtual_time import run_virtually

if TYPE_CHECKING:
    import random

    from execloop._engine.execution import Outcome
    from execloop._engine.walk import Stop


@dataclass(frozen=True)
class Job:
    """A task that takes so many seconds, then fails or has children."""

    seconds: float
    children: tuple[Job, ...] = ()
    error: str | None = None


@dataclass
class Schedule:
    """What started and ended when, and how it came out."""

    log: list[tuple[float, str, str]] = field(default_factory=list)
    errors: int = 0
    end: str = "again"

    def started(self) -> dict[str, float]:
        return {place: when for when, what, place in self.log if what == "start"}


def options(parallelism: int, *, tolerated: int | None = None, timeout: float | None = None) -> Options:
    return Options(0, tolerated, timeout, parallelism)


def perform_all(jobs: tuple[Job, ...], options: Options, stop: Stop | None = None) -> tuple[Schedule, Run, Outcome]:
    """By the engine."""
    clock, schedule = FakeClock(), Schedule()

    def make(job: Job, place: str) -> Any:
        async def perform() -> Any:
            schedule.log.append((clock.now(), "start", place))
            await asyncio.sleep(job.seconds)
            if job.error == "fatal":
                raise FatalError("no")
            if job.error == "stop":
                assert stop is not None
                stop.request()
            elif job.error:
                raise OSError(f"down at {place}")
            schedule.log.append((clock.now(), "end", place))
            return [make(child, f"{place}.{number}") for number, child in enumerate(job.children)]

        return task(place, perform)

    async def create() -> Any:
        return [make(job, str(number)) for number, job in enumerate(jobs)]

    one = Run(creating(create), Execution(), options, clock=clock, stop=stop)
    run_virtually(clock, one.on_loop)
    outcome = one.finish()
    schedule.errors = outcome.execution.errors
    if isinstance(outcome, Failed):
        schedule.end = type(outcome.error).__name__
    return schedule, one, outcome


def simulate(jobs: tuple[Job, ...], options: Options) -> Schedule:
    """By a list of what waits, a list of what runs, and the next moment at which something ends."""
    schedule = Schedule()
    waiting = [[(str(number), job) for number, job in enumerate(jobs)]]
    running: list[tuple[float, str, Job]] = []
    now = 0.0
    while True:
        while schedule.end == "again" and len(running) < options.parallelism and any(waiting):
            place, job = next(level for level in reversed(waiting) if level).pop(0)
            schedule.log.append((now, "start", place))
            running.append((now + job.seconds, place, job))
        if not running:
            return schedule
        ended = min(running)
        now = ended[0]
        if options.timeout is not None and now > options.timeout:
            schedule.end = "ExecutionTimeout" if schedule.end == "again" else schedule.end
            return schedule
        running.remove(ended)
        _, place, job = ended
        if job.error:
            schedule.errors += 1
            if job.error == "fatal" and schedule.end in ("again", "ToleranceExceeded"):
                schedule.end = "FatalError"
            elif not options.tolerates(schedule.errors) and schedule.end == "again":
                schedule.end = "ToleranceExceeded"
        else:
            schedule.log.append((now, "end", place))
            waiting.append([(f"{place}.{number}", child) for number, child in enumerate(job.children)])


def interleave(jobs: tuple[Job, ...], options: Options, order: random.Random) -> tuple[list[tuple[str, str]], Run]:
    """What happened, in order. A job's seconds are here how often it lets others go first."""
    log: list[tuple[str, str]] = []

    def make(job: Job, place: str) -> Any:
        async def perform() -> Any:
            log.append(("start", place))
            for _ in range(int(job.seconds)):
                await asyncio.sleep(0)
            log.append((job.error or "end", place))
            if job.error:
                raise FatalError("no") if job.error == "fatal" else OSError("down")
            return [make(child, f"{place}.{number}") for number, child in enumerate(job.children)]

        return task(place, perform)

    async def create() -> Any:
        return [make(job, str(number)) for number, job in enumerate(jobs)]

    one = Run(creating(create), Execution(), options, clock=(clock := FakeClock()))
    run_virtually(clock, one.on_loop, order)
    return log, one
