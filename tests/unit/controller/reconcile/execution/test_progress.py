"""When the progress of a run is written while it lasts."""

import asyncio

import pytest

from execloop.controller.reconcile.execution import progress as module
from execloop.controller.reconcile.execution.progress import ProgressWrites
from tests.asynchronous import in_event_loop

NEVER = 3600.0


class Writes:
    """Each write waits for `gate`."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.began = asyncio.Event()
        self.gate = asyncio.Event()

    async def __call__(self) -> None:
        self.begun += 1
        self.began.set()
        await self.gate.wait()
        self.ended += 1


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUICK", 0.0)


@in_event_loop
async def test_a_run_that_ends_before_progress_is_due_writes_none() -> None:
    writes = Writes()
    await ProgressWrites(lambda: NEVER, writes).end()
    assert writes.begun == 0


@in_event_loop
async def test_progress_is_written_when_it_is_due() -> None:
    writes = Writes()
    progress = ProgressWrites(lambda: 0.0, writes)
    await writes.began.wait()
    writes.gate.set()
    await progress.end()
    assert writes.ended >= 1


@in_event_loop
async def test_the_first_error_brings_a_write_forward_and_the_second_does_not() -> None:
    writes = Writes()
    writes.gate.set()
    progress = ProgressWrites(lambda: NEVER, writes)
    await asyncio.to_thread(progress.failed)
    await writes.began.wait()
    progress.failed()
    await asyncio.sleep(0)
    await progress.end()
    assert writes.begun == 1


@in_event_loop
async def test_an_error_during_a_write_is_written_right_after_it() -> None:
    writes = Writes()
    due = iter([0.0, NEVER])
    progress = ProgressWrites(lambda: next(due), writes)
    await writes.began.wait()
    progress.failed()
    await asyncio.sleep(0)
    writes.began.clear()
    writes.gate.set()
    await writes.began.wait()
    await progress.end()
    assert writes.begun == 2


@in_event_loop
async def test_the_end_waits_for_the_write_that_is_on_its_way() -> None:
    writes = Writes()
    progress = ProgressWrites(lambda: 0.0, writes)
    await writes.began.wait()
    asyncio.get_running_loop().call_soon(writes.gate.set)
    await progress.end()
    assert (writes.begun, writes.ended) == (1, 1)


@in_event_loop
async def test_a_cancelled_run_leaves_the_write_that_is_on_its_way() -> None:
    writes = Writes()
    progress = ProgressWrites(lambda: 0.0, writes)
    await writes.began.wait()
    progress.cancel()
    await asyncio.sleep(0)
    writes.gate.set()
    await asyncio.sleep(0)
    assert (writes.begun, writes.ended) == (1, 0)


@in_event_loop
async def test_the_end_raises_what_a_write_raised() -> None:
    began = asyncio.Event()

    async def lost() -> None:
        began.set()
        raise RuntimeError("the Lease is lost")

    progress = ProgressWrites(lambda: 0.0, lost)
    await began.wait()
    with pytest.raises(RuntimeError, match="the Lease is lost"):
        await progress.end()
