"""The event loop that all async plan code shares, and what becomes of it when a plan blocks it."""

import asyncio
import threading

import pytest

from execloop.controller.plancode.errors import Escaped, LoopGivenUp
from tests.asynchronous import in_event_loop
from tests.plan_code import blocked, given_up, plan_code, until


class TestTheirEventLoop:
    @in_event_loop
    async def test_all_async_code_shares_one_that_is_not_ours(self) -> None:
        async def where() -> object:
            return asyncio.get_running_loop()

        async with plan_code() as (code, _):
            first, second = [await code.on_loop(key, where) for key in "ab"]
            assert first is second is not asyncio.get_running_loop()

    @in_event_loop
    async def test_it_outlives_a_task_that_would_end_the_process(self) -> None:
        async def leave() -> None:
            raise SystemExit(3)

        async def parent() -> None:
            await asyncio.create_task(leave())

        async def where() -> object:
            return asyncio.get_running_loop()

        async with plan_code() as (code, _):
            loop = await code.on_loop("a", where)
            with pytest.raises(Escaped, match="SystemExit: 3"):
                await code.on_loop("a", parent)
            assert await code.on_loop("b", where) is loop

    @in_event_loop
    async def test_one_that_has_nothing_to_do_is_kept(self) -> None:
        async def where() -> object:
            return asyncio.get_running_loop()

        async with plan_code() as (code, _):
            loop = await code.on_loop("a", where)
            code._long_call = 0.0
            for _ in range(5):
                await asyncio.sleep(0.001)
            assert code._loop is not None
            assert code._loop.loop is loop


class TestBlockedEventLoop:
    @in_event_loop
    async def test_the_others_go_on_with_a_new_one_and_are_told_who_blocked(self) -> None:
        async def wait() -> None:
            await asyncio.Event().wait()

        async def answer() -> str:
            return "runs"

        async with plan_code() as (code, _):
            with blocked() as call:
                other = asyncio.create_task(code.on_loop("other", wait))
                culprit = asyncio.create_task(code.on_loop("culprit", call.on_loop))
                await given_up(code, call)
                for told in (other, culprit):
                    with pytest.raises(LoopGivenUp, match="culprit"):
                        await told
                assert await code.on_loop("other", answer) == "runs"

    @in_event_loop
    async def test_the_plan_that_blocks_is_named_and_barred_until_it_returns(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with plan_code() as (code, freed):
            with blocked() as call:
                culprit = asyncio.create_task(code.on_loop("ns/culprit", call.on_loop))
                await given_up(code, call)
                assert (code.barred, freed) == ({"ns/culprit"}, [])
                assert "ns/culprit blocks its event loop" in caplog.text
            await until(lambda: freed)
            assert (code.barred, freed) == (set(), ["ns/culprit"])
            await asyncio.gather(culprit, return_exceptions=True)

    @in_event_loop
    async def test_what_was_left_on_it_is_cancelled_once_it_turns_again(self) -> None:
        begun, cancelled = threading.Event(), threading.Event()

        async def wait() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async with plan_code() as (code, _):
            with blocked() as call:
                other = asyncio.create_task(code.on_loop("other", wait))
                await until(begun.is_set)
                culprit = asyncio.create_task(code.on_loop("culprit", call.on_loop))
                await given_up(code, call)
                assert not cancelled.is_set()
            await until(cancelled.is_set)
            await asyncio.gather(other, culprit, return_exceptions=True)
