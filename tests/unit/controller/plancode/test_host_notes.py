"""Each call of plan code is noted for as long as anything of it may run: a crash is then known to be one of these."""

import asyncio
from collections.abc import Callable, Hashable

import pytest

from tests.asynchronous import in_event_loop
from tests.plan_code import blocked, given_up, plan_code, until


class Notes(list[Hashable]):
    """The keys that are noted at the moment, and how many notes there ever were."""

    taken = 0

    def __call__(self, key: Hashable) -> Callable[[], None]:
        self.append(key)
        self.taken += 1
        return lambda: self.remove(key)


@in_event_loop
async def test_a_blocking_call_is_noted_while_it_runs() -> None:
    notes = Notes()
    async with plan_code(note=notes) as (code, _):
        assert await code.call("a", lambda: list(notes)) == ["a"]
        assert not notes


@in_event_loop
async def test_an_async_call_is_noted_while_it_runs_and_when_it_fails() -> None:
    notes = Notes()

    async def fail() -> None:
        raise OSError(str(notes))

    async with plan_code(note=notes) as (code, _):
        with pytest.raises(OSError, match=r"\['a'\]"):
            await code.on_loop("a", fail)
        assert not notes


@in_event_loop
async def test_a_call_that_was_left_behind_is_noted_until_its_thread_has_returned() -> None:
    notes = Notes()
    async with plan_code(note=notes) as (code, freed):
        with blocked() as call:
            task = asyncio.create_task(code.call("a", call))
            await call.has_begun()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert notes == ["a"]
        await until(lambda: "a" in freed)
        assert not notes


@in_event_loop
async def test_calls_whose_loop_was_given_up_leave_no_note_behind() -> None:
    notes = Notes()

    async def wait() -> None:
        await asyncio.Event().wait()

    async with plan_code(note=notes) as (code, freed):
        with blocked() as call:
            other = asyncio.create_task(code.on_loop("other", wait))
            culprit = asyncio.create_task(code.on_loop("culprit", call.on_loop))
            await given_up(code, call)
            await asyncio.gather(other, culprit, return_exceptions=True)
            assert notes == ["culprit"]
        await until(lambda: {"other", "culprit"} <= set(freed))
        assert not notes
        assert notes.taken == 3
