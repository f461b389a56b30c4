"""A call of plan code has ended when all that descends from it has: until then its key is barred."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from copy import copy
from itertools import count

import pytest

from execloop.controller.plancode.errors import Escaped, LoopGivenUp, OutOfTime, StillRunning, TooManyBlocked
from tests.asynchronous import in_event_loop
from tests.plan_code import LONG, Blocked, blocked, given_up, plan_code, until


class Panic(BaseException):
    """As extensions in other languages raise."""


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


async def forever() -> None:
    await asyncio.Event().wait()


async def cancels_its_own() -> None:
    child = asyncio.create_task(forever())
    child.cancel()
    await child


async def gathered(call: Blocked) -> None:
    await asyncio.gather(forever(), call.on_loop())


async def created(call: Blocked) -> None:
    await asyncio.create_task(call.on_loop())


async def grouped(call: Blocked) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(call.on_loop())


class TestWhatIsRaised:
    @pytest.mark.parametrize("error", [Panic("rust"), GeneratorExit(), SystemExit(3), asyncio.CancelledError()])
    @in_event_loop
    async def test_what_is_no_exception_escapes_as_one(self, error: BaseException) -> None:
        async def fail() -> None:
            raise error

        async with plan_code() as (code, _):
            for call in (code.call("a", raising(error)), code.on_loop("a", fail)):
                with pytest.raises(Escaped) as raised:
                    await call
                assert raised.value.__cause__ is error
            assert code.barred == set()

    @in_event_loop
    async def test_a_cancellation_of_its_own_making_is_no_cancellation_of_the_caller(self) -> None:
        async with plan_code() as (code, _):
            with pytest.raises(Escaped, match="CancelledError"):
                await code.on_loop("a", cancels_its_own)
            with pytest.raises(Escaped, match="CancelledError"):
                await code.call("a", lambda: asyncio.run(cancels_its_own()))

    @in_event_loop
    async def test_an_error_that_nothing_awaits_names_the_plan_and_not_its_message(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def fail() -> None:
            raise OSError("the secret")

        async def leaves() -> None:
            task = asyncio.create_task(fail())
            await asyncio.wait({task})

        async with plan_code() as (code, _):
            await code.on_loop("ns/a", leaves)
            await until(lambda: "OSError" in caplog.text)
        assert "in the async code of Plan ns/a: OSError" in caplog.text
        assert "the secret" not in caplog.text


class TestOneCallOfAKey:
    @in_event_loop
    async def test_a_second_call_is_refused_while_the_first_runs(self) -> None:
        async with plan_code() as (code, _):
            with blocked() as call:
                first = asyncio.create_task(code.call("a", call))
                await call.has_begun()
                with pytest.raises(StillRunning, match="an earlier call of a has not ended yet"):
                    await code.call("a", list)
            assert await first == "returned"

    @in_event_loop
    async def test_tasks_that_it_leaves_running_are_cancelled(self) -> None:
        left: list[asyncio.Task[None]] = []

        async def leaves() -> None:
            left.append(asyncio.create_task(forever()))
            await asyncio.sleep(0)

        async with plan_code() as (code, _):
            await code.on_loop("a", leaves)
            assert left[0].cancelled()
            assert code.barred == set()

    @in_event_loop
    async def test_a_thread_that_it_leaves_running_bars_it(self) -> None:
        async def fails_beside(call: Blocked) -> None:
            task = asyncio.create_task(asyncio.to_thread(call))
            await until(call.begun.is_set)
            task.cancel()
            raise OSError("down")

        async with plan_code() as (code, freed):
            with blocked() as call:
                with pytest.raises(OSError, match="down"):
                    await code.on_loop("a", lambda: fails_beside(call))
                assert code.barred == {"a"}
            await until(lambda: freed)
            assert (code.barred, freed) == (set(), ["a"])

    @in_event_loop
    async def test_code_that_eats_its_cancellation_is_cancelled_again(self) -> None:
        eaten = threading.Event()

        async def eats() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                eaten.set()
            await asyncio.Event().wait()

        async with plan_code(patience=0.0, gaps=(0.01,) * 10) as (code, freed):
            left = asyncio.create_task(code.on_loop("a", eats))
            await until(lambda: code._loop and code._loop.turns)
            left.cancel()
            await until(eaten.is_set)
            await until(lambda: freed)
            assert code.barred == set()

    @in_event_loop
    async def test_code_that_never_ends_is_given_up_and_barred(self, caplog: pytest.LogCaptureFixture) -> None:
        eaten, go_on = 0, False

        async def eats() -> None:
            nonlocal eaten
            while not go_on:
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    eaten += 1

        async with plan_code(patience=0.0, gaps=(0.001,) * 3) as (code, freed):
            with pytest.raises(OutOfTime, match="not ended within"):
                await code.on_loop("ns/a", eats, within=0.02)
            assert code.barred == {"ns/a"}
            await until(lambda: "ns/a does not end when it is cancelled" in caplog.text)
            assert (eaten, code.barred) == (3, {"ns/a"})
            go_on = True
            await until(lambda: freed)
            assert code.barred == set()


class TestOneLimitOfThreads:
    @in_event_loop
    async def test_a_call_s_own_threads_count(self) -> None:
        at_once, most, counting = 0, 0, threading.Lock()

        def count() -> None:
            nonlocal at_once, most
            with counting:
                at_once += 1
                most = max(most, at_once)
            threading.Event().wait(0.001)
            with counting:
                at_once -= 1

        async with plan_code(workers=1, threads=4) as (code, _):

            async def many() -> None:
                await asyncio.gather(
                    *(code.threads.call(count) for _ in range(20)), *(asyncio.to_thread(count) for _ in range(20))
                )

            await code.on_loop("a", many)
        assert most <= 3

    @in_event_loop
    async def test_a_plan_s_parallel_tasks_leave_threads_for_others(self) -> None:
        async with plan_code(workers=2, threads=4) as (code, _):
            with blocked() as call:

                async def many() -> None:
                    await asyncio.gather(*(asyncio.to_thread(call) for _ in range(9)))

                hog = asyncio.create_task(code.on_loop("hog", many))
                await call.has_begun()
                assert await code.call("b", lambda: "has a thread") == "has a thread"
            await hog

    @in_event_loop
    async def test_what_waited_in_line_when_its_call_was_left_never_runs(self) -> None:
        ran: list[str] = []

        async with plan_code(workers=1, threads=1, patience=0.0) as (code, freed):
            with blocked() as call:

                async def two() -> None:
                    await asyncio.gather(code.threads.call(call), code.threads.call(lambda: ran.append("x")))

                left = asyncio.create_task(code.on_loop("a", two))
                await call.has_begun()
                left.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await left
                await until(lambda: not code._calls["a"].tasks)
            await until(lambda: freed)
            assert ran == []

    @in_event_loop
    async def test_one_that_was_refused_is_told_when_a_thread_is_free(self) -> None:
        async with plan_code(workers=2, threads=1) as (code, freed):
            with blocked() as call:
                holding = asyncio.create_task(code.call("a", call))
                await call.has_begun()
                with pytest.raises(TooManyBlocked):
                    await code.call("b", list)
            await holding
            await until(lambda: freed)
            assert freed == ["b"]

    @in_event_loop
    async def test_the_more_are_refused_the_later_each_tries_again(self) -> None:
        async def refused(key: str) -> float:
            with pytest.raises(TooManyBlocked) as refusal:
                await code.call(key, list)
            return refusal.value.after

        async with plan_code(threads=0) as (code, _):
            assert await refused("a") == 1.0
            for number in range(999):
                await refused(str(number))
            assert await refused("a") == 50.0


class TestPlaces:
    @in_event_loop
    async def test_waiting_for_one_is_no_part_of_the_time_that_a_call_may_take(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop = asyncio.get_running_loop()
        clock = loop.time
        async with plan_code(workers=1) as (code, _):
            with blocked() as call:
                holding = asyncio.create_task(code.call("a", call))
                await call.has_begun()
                waiting = asyncio.create_task(code.call("b", lambda: "in time", within=LONG / 4))
                await until(lambda: code.waiting)
                monkeypatch.setattr(loop, "time", lambda: clock() + LONG / 2)
                for _ in range(3):
                    await asyncio.sleep(0)
                assert code.waiting == 1
            await holding
            assert await waiting == "in time"
            assert code.waiting == 0

    @in_event_loop
    async def test_async_code_that_is_known_to_take_long_takes_none(self) -> None:
        async with plan_code(workers=1, long_call=0.0, beat=LONG) as (code, _):
            await code.on_loop("a", lambda: asyncio.sleep(0.001))
            long = asyncio.create_task(code.on_loop("a", forever))
            await until(lambda: code._calls)
            assert await code.on_loop("b", lambda: asyncio.sleep(0, "has a place")) == "has a place"
            long.cancel()
            await asyncio.wait({long})

    @in_event_loop
    async def test_async_code_that_waits_does_not_keep_blocking_code_from_a_place(self) -> None:
        async with plan_code(workers=1) as (code, _):
            waiting = asyncio.create_task(code.on_loop("a", forever))
            await until(lambda: code._calls)
            assert await code.call("b", lambda: "has a place") == "has a place"
            waiting.cancel()
            await asyncio.wait({waiting})


class TestBlockedLoop:
    @pytest.mark.parametrize("blocks", [gathered, created, grouped])
    @in_event_loop
    async def test_a_child_that_blocks_it_bars_its_plan(
        self, blocks: Callable[[Blocked], Awaitable[None]], caplog: pytest.LogCaptureFixture
    ) -> None:
        async with plan_code() as (code, freed):
            with blocked() as call:

                async def culprit() -> None:
                    await blocks(call)

                told = asyncio.create_task(code.on_loop("ns/culprit", culprit))
                await given_up(code, call)
                assert code.barred == {"ns/culprit"}
                assert "Plan ns/culprit blocks its event loop" in caplog.text
                with pytest.raises(LoopGivenUp, match="ns/culprit"):
                    await told
            await until(lambda: freed)
            assert code.barred == set()

    @in_event_loop
    async def test_another_whose_thread_still_runs_is_barred_until_it_has_returned(self) -> None:
        async with plan_code() as (code, freed):
            with blocked() as call, blocked() as task:
                other = asyncio.create_task(code.on_loop("other", lambda: code.threads.call(task)))
                await task.has_begun()
                culprit = asyncio.create_task(code.on_loop("culprit", call.on_loop))
                await given_up(code, call)
                await asyncio.gather(other, culprit, return_exceptions=True)
                assert code.barred == {"culprit", "other"}
                with pytest.raises(StillRunning):
                    await code.call("other", list)
                task.released.set()
                await until(lambda: freed)
                assert (code.barred, freed) == ({"culprit"}, ["other"])
            await until(lambda: not code.barred)

    @in_event_loop
    async def test_the_end_of_an_old_call_never_runs_beside_the_new_one(self) -> None:
        happened: list[str] = []

        async def old() -> None:
            try:
                happened.append("old begins")
                await asyncio.Event().wait()
            finally:
                happened.append("old ends")

        async with plan_code() as (code, freed):
            with blocked() as call, blocked() as newer:
                told = asyncio.create_task(code.on_loop("other", old))
                await until(lambda: happened)
                culprit = asyncio.create_task(code.on_loop("culprit", call.on_loop))
                await given_up(code, call)
                await asyncio.gather(told, culprit, return_exceptions=True)
                new = asyncio.create_task(code.call("other", newer))
                await newer.has_begun()
                call.released.set()
                await until(lambda: freed)
                assert happened == ["old begins"]
            assert await new == "returned"
            await until(lambda: len(happened) > 1)
            await until(lambda: not code.barred)
            assert happened == ["old begins", "old ends"]

    @in_event_loop
    async def test_an_old_call_takes_no_step_once_the_loop_turns_again(self) -> None:
        steps: list[str] = []

        async def old() -> None:
            while True:
                steps.append("old")
                await asyncio.sleep(0)

        async with plan_code() as (code, freed):
            with blocked() as call, blocked() as newer:
                told = asyncio.create_task(code.on_loop("other", old))
                await until(lambda: steps)
                culprit = asyncio.create_task(code.on_loop("culprit", call.on_loop))
                await given_up(code, call)
                await asyncio.gather(told, culprit, return_exceptions=True)
                new = asyncio.create_task(code.call("other", newer))
                await newer.has_begun()
                steps.clear()
                call.released.set()
                await until(lambda: freed)
                assert steps == []
            await new
            await until(lambda: not code.barred)

    @in_event_loop
    async def test_what_a_call_left_on_it_ends_once_it_turns_again(self) -> None:
        async def cleans_up() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.01)

        async def leaves() -> None:
            left.append(asyncio.create_task(cleans_up()))
            await asyncio.sleep(0)

        left: list[asyncio.Task[None]] = []
        async with plan_code(patience=0.0) as (code, freed):
            with blocked() as call:
                await code.on_loop("a", leaves)
                assert code.barred == {"a"}
                culprit = asyncio.create_task(code.on_loop("culprit", call.on_loop))
                await given_up(code, call)
            await until(lambda: set(freed) == {"a", "culprit"})
            await asyncio.gather(culprit, return_exceptions=True)
            assert code.barred == set()

    @in_event_loop
    async def test_one_that_was_being_cancelled_is_barred_until_it_has_ended(self) -> None:
        ending = threading.Event()

        async def cleans_up() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ending.set()
                await asyncio.sleep(0.01)

        async with plan_code(patience=600.0) as (code, _):
            with blocked() as call:
                left = asyncio.create_task(code.on_loop("other", cleans_up))
                await until(lambda: code._loop and code._loop.turns)
                left.cancel()
                await until(ending.is_set)
                culprit = asyncio.create_task(code.on_loop("culprit", call.on_loop))
                await given_up(code, call)
                await asyncio.wait({culprit})
                with pytest.raises(StillRunning):
                    await code.call("other", list)
            await asyncio.gather(left, culprit, return_exceptions=True)
            await until(lambda: not code.barred)

    @in_event_loop
    async def test_no_thread_for_a_new_loop_refuses_the_call_and_bars_nobody(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def start(_thread: object) -> None:
            raise RuntimeError("can't start new thread")

        async with plan_code() as (code, _):
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", start)
                with pytest.raises(TooManyBlocked, match="can't start new thread"):
                    await code.on_loop("a", forever)
                with pytest.raises(TooManyBlocked, match="can't start new thread"):
                    await code.call("a", list)
            assert await code.call("a", lambda: "runs") == "runs"

    @pytest.mark.parametrize(("between_looks", "expected"), [(0.001, True), (0.002, True), (0.01, False)])
    @in_event_loop
    async def test_looks_that_come_late_count_the_less_the_later(self, between_looks: float, expected: bool) -> None:
        looks = count()

        async with plan_code(beat=0.001, long_call=0.02, clock=lambda: next(looks) * between_looks) as (code, _):
            with blocked() as call:
                blocks = asyncio.create_task(code.on_loop("a", call.on_loop))
                await call.has_begun()
                loop, now = code._loop, next(looks)
                await until(lambda: next(copy(looks)) > now + 50)
                assert (code._loop is not loop) is expected
            await asyncio.gather(blocks, return_exceptions=True)
            await until(lambda: not code.barred)

    @in_event_loop
    async def test_a_pause_of_the_process_blames_nobody(self) -> None:
        now = 0.0
        async with plan_code(long_call=50.0, clock=lambda: now) as (code, _):
            with blocked() as call:
                paused = asyncio.create_task(code.on_loop("a", call.on_loop))
                await call.has_begun()
                await asyncio.sleep(0.01)  # some looks at it before the pause, and some after it
                loop, now = code._loop, 1000.0
                await asyncio.sleep(0.01)
                assert code._loop is loop
            assert await paused == "returned"
