"""How Python is set for an operator."""

import asyncio
import sys
import time
from collections.abc import Iterator

import pytest

from execloop._engine.runtime.threads import Threads
from execloop.controller.manager.tuning import loop_factory, switch_soon

_CALLS = 20


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)


def test_a_call_in_a_thread_has_its_turn_beside_a_busy_event_loop() -> None:
    """Counted in turns of the loop: with Python's own interval a call waits for thousands of them."""
    turns = 0

    async def busy() -> None:
        nonlocal turns
        while True:
            end = time.perf_counter() + 0.0003
            while time.perf_counter() < end:
                pass
            turns += 1
            await asyncio.sleep(0)

    async def main() -> int:
        working = asyncio.create_task(busy())
        threads = Threads("test")
        before = turns
        for _ in range(_CALLS):
            await threads.call(lambda: None)
        working.cancel()
        return turns - before

    switch_soon()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert runner.run(main()) < 500 * _CALLS
