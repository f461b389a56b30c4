"""Plan code that blocks until a test lets it go on."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from execloop.controller.plancode.host import PlanHost

LONG = 600.0
"""Longer than any test."""


class Blocked:
    """A call that says when it has begun, and does not return until it is told to."""

    def __init__(self) -> None:
        self.begun, self.released = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        self.released.wait()
        return "returned"

    async def on_loop(self) -> str:
        """The mistake of async code that blocks."""
        return self()

    async def has_begun(self) -> None:
        await until(self.begun.is_set)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - another thread makes it so
            await asyncio.sleep(0)


@contextmanager
def blocked() -> Iterator[Blocked]:
    call = Blocked()
    try:
        yield call
    finally:
        call.released.set()


@asynccontextmanager
async def plan_code(
    *, workers: int = 10, threads: int = 10, long_call: float = LONG, beat: float = 0.001, **options: Any
) -> AsyncIterator[tuple[PlanHost, list[Hashable]]]:
    """Plan code that is watched, and the keys that it says are free again."""
    freed: list[Hashable] = []
    code = PlanHost(workers, threads, freed.append, long_call=long_call, beat=beat, **options)
    watching = asyncio.create_task(code.watch())
    try:
        yield code, freed
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        if code._loop is not None:
            code._loop.loop.call_soon_threadsafe(code._loop.end)


async def given_up(code: PlanHost, call: Blocked) -> None:
    """The event loop that the call blocks is given up."""
    await call.has_begun()
    loop = code._loop
    code._long_call = 0.0
    await until(lambda: code._loop is not loop)
    code._long_call = LONG
