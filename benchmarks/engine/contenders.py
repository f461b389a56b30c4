"""What is compared. Each makes its work ready and returns what is to be timed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.engine import peers
from benchmarks.engine.work import AsyncOnce, AsyncWork, Once, Waiting, Work
from execloop import Executor, Options, arun, run, task

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONTENDERS", "Contender"]

_QUICK: dict[str, Any] = {"sleep_between_runs": 0}


@dataclass(frozen=True)
class Contender:
    title: str
    prepare: Callable[[int], Callable[[], object]]
    tasks: int
    """How many at a time: as many as take long enough to be measured, and no more."""
    base: str = "bare"
    """Whose time its own is divided by; `ideal` for tasks that wait."""
    needs: tuple[str, ...] = ()
    """Distributions that its environment must have."""


# -- loops by hand


def _bare(tasks: list[Work]) -> None:
    for each in tasks:
        try:
            each.pre()
            each.perform()
            each.post()
        except Exception:
            logging.getLogger("benchmark").exception("failed")


async def _bare_awaiting(tasks: list[AsyncWork]) -> None:
    for each in tasks:
        try:
            await each.pre()
            await each.perform()
            await each.post()
        except Exception:
            logging.getLogger("benchmark").exception("failed")


def bare(number: int) -> Callable[[], object]:
    tasks = [Work() for _ in range(number)]
    return lambda: _bare(tasks)


def bare_awaiting(number: int) -> Callable[[], object]:
    tasks = [AsyncWork() for _ in range(number)]
    return lambda: asyncio.run(_bare_awaiting(tasks))


def bare_semaphore(number: int) -> Callable[[], object]:
    async def one(each: Waiting, semaphore: asyncio.Semaphore) -> None:
        async with semaphore:
            await _bare_awaiting([each])

    async def main() -> None:
        semaphore = asyncio.Semaphore(100)
        await asyncio.gather(*(one(Waiting(), semaphore) for _ in range(number)))

    return lambda: asyncio.run(main())


# -- ours


def ours(number: int) -> Callable[[], object]:
    tasks = [Work() for _ in range(number)]
    return lambda: run(Once(tasks), **_QUICK)


def ours_without_deadline(number: int) -> Callable[[], object]:
    tasks = [Work() for _ in range(number)]
    return lambda: run(Once(tasks), execution_timeout=None, **_QUICK)


def ours_with_a_listener(number: int) -> Callable[[], object]:
    tasks = [Work() for _ in range(number)]
    return lambda: run(Once(tasks), listeners=[lambda _: None], **_QUICK)


def ours_from_functions(number: int) -> Callable[[], object]:
    work = Work()
    tasks = [task("work", work.perform, pre=work.pre, post=work.post) for _ in range(number)]
    return lambda: run(Once(tasks), **_QUICK)


def ours_awaiting(number: int) -> Callable[[], object]:
    tasks = [AsyncWork() for _ in range(number)]
    return lambda: asyncio.run(arun(AsyncOnce(tasks), **_QUICK))


def ours_waiting(number: int) -> Callable[[], object]:
    tasks = [Waiting() for _ in range(number)]
    return lambda: asyncio.run(arun(AsyncOnce(tasks), parallelism=100, **_QUICK))


def ours_many_runs(number: int) -> Callable[[], object]:
    """A run, not a task, is what is counted here."""

    class Endless:
        left = number

        def create(self) -> list[Work] | None:
            self.left -= 1
            return [Work()] if self.left else None

    return lambda: Executor(Options(sleep_between_runs=0)).run(Endless())


CONTENDERS: dict[str, Contender] = {
    "bare": Contender("bare loop", bare, 100_000),
    "ours": Contender("execloop, run()", ours, 100_000),
    "ours_without_deadline": Contender("execloop, run(), no deadline", ours_without_deadline, 100_000),
    "ours_from_functions": Contender("execloop, run(), tasks from functions", ours_from_functions, 100_000),
    "ours_with_a_listener": Contender("execloop, run(), a listener", ours_with_a_listener, 20_000),
    "bare_awaiting": Contender("bare loop of awaits", bare_awaiting, 50_000, base="bare_awaiting"),
    "ours_awaiting": Contender("execloop, arun()", ours_awaiting, 50_000, base="bare_awaiting"),
    "bare_semaphore": Contender("gather() with a semaphore", bare_semaphore, 1_000, base="ideal"),
    "ours_waiting": Contender("execloop, arun(), parallelism=100", ours_waiting, 1_000, base="ideal"),
    "ours_few_runs": Contender("execloop, run() of 1,000 runs", ours_many_runs, 1_000),
    "ours_many_runs": Contender("execloop, run() of 100,000 runs", ours_many_runs, 100_000),
    "tenacity": Contender("a loop with tenacity", peers.tenacity, 10_000, needs=("tenacity",)),
    "doit": Contender("doit", peers.doit, 500, needs=("doit",)),
    "luigi": Contender("luigi", peers.luigi, 500, needs=("luigi",)),
    "dbos": Contender("DBOS", peers.dbos, 200, needs=("dbos",)),
    "prefect": Contender("Prefect", peers.prefect, 50, needs=("prefect",)),
}
