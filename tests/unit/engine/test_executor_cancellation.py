"""What is not an error of a task: Ctrl-C, cancellation, an exit. Never counted, never swallowed, nothing after it."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import Any

import pytest

from execloop import Executor, Options, Report, task
from execloop.testing import FakeClock
from tests.engine_model import PHASES, creating
from tests.virtual_time import run_virtually

CALLS = ["create", *PHASES, *(f"child {phase}" for phase in PHASES)]
Drive = Callable[[Executor, Any], Report]


class Boom(BaseException):
    pass


def drive_sync(executor: Executor, plan: Any) -> Report:
    return executor.run(plan)


def drive_async(executor: Executor, plan: Any) -> Report:
    return asyncio.run(executor.arun(plan))


def scene(where: str, what: Callable[[], Any], seen: list[str], *, asynchronous: bool) -> Any:
    """A plan of two tasks in which something happens in one call of the first, or of its child."""

    def call(name: str) -> Any:
        seen.append(name)
        if name == where:
            what()
        return {"create": [make(""), make("later ")], "perform": [make("child ")]}.get(name)

    def function(name: str) -> Callable[[], Any]:
        async def acall() -> Any:
            return call(name)

        return acall if asynchronous else lambda: call(name)

    def make(prefix: str) -> Any:
        pre, perform, post = (function(f"{prefix}{phase}") for phase in PHASES)
        return task("a", perform, pre=pre, post=post)

    return creating(function("create"))


# -- raised by the plan's own code


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, Boom])
@pytest.mark.parametrize("where", CALLS)
@pytest.mark.parametrize(
    ("drive", "options", "asynchronous"),
    [
        (drive_sync, Options(), False),
        (drive_sync, Options(execution_timeout=None), False),
        (drive_sync, Options(parallelism=2), False),
        (drive_async, Options(), False),
        (drive_async, Options(), True),
        (drive_async, Options(parallelism=2, execution_timeout=None), True),
    ],
    ids=["run", "run without deadline", "run in parallel", "arun", "arun, awaiting", "arun in parallel"],
)
def test_it_is_raised_from_any_call_at_once_and_counted_nowhere(
    drive: Drive, options: Options, asynchronous: bool, where: str, error: type[BaseException]
) -> None:
    seen: list[str] = []

    def raise_it() -> None:
        raise error

    executor = Executor(options, clock=FakeClock())
    with pytest.raises(error):
        drive(executor, scene(where, raise_it, seen, asynchronous=asynchronous))
    performed = [name for name in seen if not name.startswith("later")]
    assert performed == CALLS[: CALLS.index(where) + 1]
    assert executor.report.error_count == 0
    assert executor.report.tasks >= (where != "create")


def test_an_executor_that_was_interrupted_can_be_used_again() -> None:
    executor = Executor(clock=FakeClock())

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.run(creating(interrupt))
    assert executor.run(creating(list)).runs == 1


@pytest.mark.parametrize("options", [Options(), Options(execution_timeout=None)])
def test_errors_before_an_interrupt_count_when_the_execution_goes_on(options: Options) -> None:
    def fail() -> None:
        raise OSError("down")

    def interrupt() -> None:
        raise KeyboardInterrupt

    executor = Executor(options, clock=FakeClock())
    with pytest.raises(KeyboardInterrupt):
        executor.run(creating(lambda: [task("fails", fail), task("interrupts", interrupt)]))
    interrupted = executor.execution
    assert (interrupted.runs, interrupted.errors) == (1, 1)
    executor.run(creating(list), execution=interrupted)
    assert (executor.execution.runs, executor.execution.errors) == (2, 1)


# -- cancelled from outside


def waiting(where: str, seen: list[str]) -> Any:
    """Two tasks; one call of the first, or of its child, waits for ever."""

    async def call(name: str) -> Any:
        seen.append(name)
        if name == where:
            await asyncio.get_running_loop().create_future()
        return {"create": [make(""), make("later ")], "perform": [make("child ")]}.get(name)

    def make(prefix: str) -> Any:
        pre, perform, post = ((lambda p=phase: call(prefix + p)) for phase in PHASES)
        return _declared(prefix or "a", pre, perform, post)

    async def create() -> Any:
        return await call("create")

    return creating(create)


def _declared(name: str, *phases: Callable[[], Any]) -> Any:
    def declare(phase: Callable[[], Any]) -> Callable[[], Any]:
        async def awaited() -> Any:
            return await phase()

        return awaited

    pre, perform, post = map(declare, phases)
    return task(name, perform, pre=pre, post=post)


@pytest.mark.parametrize("parallelism", [1, 3])
@pytest.mark.parametrize("where", CALLS)
def test_a_timeout_around_arun_cancels_whatever_call_is_waiting(where: str, parallelism: int) -> None:
    clock, seen = FakeClock(), list[str]()
    executor = Executor(Options(parallelism=parallelism), clock=clock)

    async def main() -> None:
        async with asyncio.timeout(5):
            await executor.arun(waiting(where, seen))

    with pytest.raises(TimeoutError) as caught:
        run_virtually(clock, main)
    assert type(caught.value) is TimeoutError
    assert clock.now() == 5
    assert [name for name in seen if not name.startswith("later")] == CALLS[: CALLS.index(where) + 1]
    assert (executor.report.error_count, executor.report.duration) == (0, 5)


def test_a_timeout_around_arun_can_fall_into_the_sleep() -> None:
    class Slow(FakeClock):
        async def asleep(self, seconds: float, wake: asyncio.Event) -> None:
            await asyncio.sleep(seconds)

    clock, seen = Slow(), list[str]()
    executor = Executor(Options(sleep_between_runs=60), clock=clock)

    async def main() -> None:
        async with asyncio.timeout(5):
            await executor.arun(waiting("nowhere", seen))

    with pytest.raises(TimeoutError):
        run_virtually(clock, main)
    assert (executor.report.runs, executor.report.tasks) == (1, 3)


def test_a_cancelled_arun_leaves_a_blocking_call_to_itself_and_nothing_follows_from_it() -> None:
    blocked, release, ended = threading.Event(), threading.Event(), threading.Event()
    seen: list[str] = []

    def block() -> None:
        blocked.set()
        release.wait(60)
        ended.set()

    tasks = [task("a", block, post=lambda: seen.append("post")), task("b", lambda: seen.append("b"))]

    async def main() -> None:
        driving = asyncio.create_task(Executor().arun(creating(lambda: tasks)))
        await asyncio.to_thread(blocked.wait, 60)
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving

    asyncio.run(main())
    release.set()
    assert ended.wait(60)
    assert seen == []


def test_closing_the_coroutine_of_arun_stops_it_too() -> None:
    class Waiting:
        async def create(self) -> None:
            await asyncio.sleep(0)

    coroutine = Executor(Options(execution_timeout=None)).arun(Waiting())

    async def main() -> None:
        coroutine.send(None)
        coroutine.close()

    asyncio.run(main())


# -- Ctrl-C in a terminal

PROGRAM = """
    import signal, sys, threading
    from execloop import Executor, Options, task

    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the parent ignores it

    def wait():
        print("waiting", flush=True)
        threading.Event().wait(60)
        return [task("never", lambda: print("never", flush=True))]

    def sleep(event):
        if type(event).__name__ == "RunFinished":
            print("waiting", flush=True)

    class Plan:
        def create(self):
            return [task("quick", lambda: None), task("slow", {slow})]

    executor = Executor(Options(60, {options}), listeners=[sleep])
    try:
        {drive}
    except KeyboardInterrupt:
        print(executor.report.runs, executor.report.tasks, executor.report.error_count, flush=True)
        sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a single process")
@pytest.mark.parametrize(
    ("drive", "options"),
    [
        ("executor.run(Plan())", ""),
        ("executor.run(Plan())", "execution_timeout=None"),
        ("executor.run(Plan())", "parallelism=2"),
        ("import asyncio; asyncio.run(executor.arun(Plan()))", ""),
    ],
)
@pytest.mark.parametrize("slow", ["wait", "lambda: None"], ids=["in a call", "in the sleep"])
def test_ctrl_c_ends_the_program_at_once_with_a_report(slow: str, drive: str, options: str) -> None:
    program = textwrap.dedent(PROGRAM).format(slow=slow, drive=drive, options=options)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "waiting\n"
            out = _interrupted(process)
        finally:
            process.kill()  # a test that fails does not wait for it
    assert process.returncode == 130
    assert out == "1 2 0\n"


def _interrupted(process: subprocess.Popen[str]) -> str:
    """A signal that comes just before asyncio waits for events is seen only after that: people press again, too."""
    os.kill(process.pid, signal.SIGINT)
    try:
        return process.communicate(timeout=10)[0]
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGINT)
        return process.communicate(timeout=60)[0]
