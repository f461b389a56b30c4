"""Where plan code runs, and that no plan holds up another, the operator, or its exit."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any, TypeAlias

import pytest

from execloop.controller.plancode.errors import Escaped, TooManyBlocked
from execloop.controller.plancode.host import PlanHost
from tests.asynchronous import in_event_loop
from tests.plan_code import blocked, plan_code, until

Call: TypeAlias = Callable[[Hashable, Callable[[], Any]], Awaitable[Any]]


def call_of(code: PlanHost, kind: str) -> Call:
    if kind == "blocking":
        return code.call

    async def on_loop(key: Hashable, function: Callable[[], Any]) -> Any:
        async def make() -> Any:
            return function()

        return await code.on_loop(key, make)

    return on_loop


@pytest.mark.parametrize("kind", ["blocking", "async"])
class TestEveryCall:
    @in_event_loop
    async def test_it_runs_in_a_thread_of_its_own_that_does_not_hold_the_exit_up(self, kind: str) -> None:
        async with plan_code() as (code, _):
            thread = await call_of(code, kind)("a", threading.current_thread)
            assert thread is not threading.current_thread()
            assert thread.daemon

    @in_event_loop
    async def test_its_error_is_raised_where_it_is_awaited(self, kind: str) -> None:
        def fail() -> None:
            raise OSError("down")

        async with plan_code() as (code, _):
            with pytest.raises(OSError, match="down"):
                await call_of(code, kind)("a", fail)

    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
    @in_event_loop
    async def test_what_would_end_the_process_is_raised_where_it_is_awaited(
        self, kind: str, error: BaseException
    ) -> None:
        def leave() -> None:
            raise error

        async with plan_code() as (code, _):
            with pytest.raises((SystemExit, KeyboardInterrupt, Escaped)) as raised:
                await call_of(code, kind)("a", leave)
            assert error in {raised.value, raised.value.__cause__}
            assert await call_of(code, kind)("b", lambda: "goes on") == "goes on"


class TestPlaces:
    @in_event_loop
    async def test_no_more_blocking_calls_than_workers_run_at_one_moment(self) -> None:
        async with plan_code(workers=1) as (code, _):
            with blocked() as first, blocked() as second:
                calls = [asyncio.create_task(code.call(key, call)) for key, call in (("a", first), ("b", second))]
                await first.has_begun()
                assert not second.begun.is_set()
                first.released.set()
                await second.has_begun()
            assert await asyncio.gather(*calls) == ["returned", "returned"]

    @in_event_loop
    async def test_no_more_async_calls_than_workers_run_at_one_moment(self) -> None:
        begun: list[str] = []
        go_on = threading.Event()

        async def make(name: str) -> None:
            begun.append(name)
            await until(go_on.is_set)

        async with plan_code(workers=1) as (code, _):
            calls = [asyncio.create_task(code.on_loop(name, partial(make, name))) for name in "ab"]
            await until(lambda: begun)
            assert begun == ["a"]
            go_on.set()
            await asyncio.gather(*calls)
            assert begun == ["a", "b"]

    @in_event_loop
    async def test_a_long_call_gives_its_place_up_and_keeps_its_thread(self) -> None:
        async with plan_code(workers=1, long_call=0.001) as (code, _):
            with blocked() as call:
                long = asyncio.create_task(code.call("a", call))
                await call.has_begun()
                assert await code.call("b", lambda: "has a place") == "has a place"
                assert not long.done()
            assert await long == "returned"

    @in_event_loop
    async def test_plans_that_block_hold_so_many_threads_and_no_more(self) -> None:
        async with plan_code(workers=2, threads=1) as (code, _):
            with blocked() as call:
                holding = asyncio.create_task(code.call("a", call))
                await call.has_begun()
                with pytest.raises(TooManyBlocked, match="1 threads"):
                    await code.call("b", lambda: None)
            await holding
            await code.call("b", lambda: None)


class TestLeftBehind:
    @in_event_loop
    async def test_the_key_of_a_call_that_is_left_behind_is_barred_until_it_returns(self) -> None:
        async with plan_code() as (code, freed):
            with blocked() as call:
                left = asyncio.create_task(code.call("a", call))
                await call.has_begun()
                left.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await left
                assert (code.barred, freed) == ({"a"}, [])
            await until(lambda: freed)
            assert (code.barred, freed) == (set(), ["a"])

    @in_event_loop
    async def test_a_call_that_never_had_a_place_bars_nothing(self) -> None:
        async with plan_code(workers=1) as (code, freed):
            with blocked() as call:
                holding = asyncio.create_task(code.call("a", call))
                await call.has_begun()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0):
                        await code.call("b", lambda: None)
                assert code.barred == set()
            await holding
            assert (await code.call("b", lambda: "runs"), freed) == ("runs", [])

    @in_event_loop
    async def test_async_code_that_is_left_behind_is_cancelled(self) -> None:
        begun, cancelled = threading.Event(), threading.Event()

        async def wait() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async with plan_code() as (code, _):
            left = asyncio.create_task(code.on_loop("a", wait))
            await until(begun.is_set)
            left.cancel()
            await until(cancelled.is_set)
            assert code.barred == set()
