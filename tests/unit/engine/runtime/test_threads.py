import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import textwrap
import threading
import weakref

import pytest

from execloop._engine.runtime.threads import Threads


def until_idle(threads: Threads, number: int) -> None:
    while len(threads._idle) < number:
        os.sched_yield()


def test_a_call_is_made_in_a_daemon_thread_and_its_result_awaited() -> None:
    thread = asyncio.run(Threads("workers").call(threading.current_thread))
    assert thread is not threading.current_thread()
    assert (thread.daemon, thread.name) == (True, "workers")


def test_an_idle_thread_is_used_again() -> None:
    threads = Threads()

    async def main() -> set[threading.Thread]:
        return {await threads.call(threading.current_thread) for _ in range(20)}

    # A thread is idle an instant after its result is there: a second one may have been made meanwhile.
    assert len(asyncio.run(main())) <= 3


def test_there_are_as_many_threads_as_calls_at_one_moment() -> None:
    barrier = threading.Barrier(30)

    async def main() -> None:
        await asyncio.gather(*(threads.call(lambda: barrier.wait(60)) for _ in range(30)))

    threads = Threads()
    asyncio.run(main())


@pytest.mark.parametrize(
    "error", [OSError("down"), KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError()], ids=repr
)
def test_whatever_a_call_raises_is_raised_where_it_is_awaited(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        asyncio.run(Threads().call(fail))
    assert caught.value is error


def test_a_call_sees_the_context_of_its_caller_and_does_not_change_it() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    def change() -> str:
        before = variable.get()
        variable.set("the call's")
        return before

    async def main() -> tuple[str, str]:
        variable.set("the caller's")
        return await Threads().call(change), variable.get()

    assert asyncio.run(main()) == ("the caller's", "the caller's")


def test_a_cancelled_call_that_ends_later_bothers_nobody() -> None:
    started, release = threading.Event(), threading.Event()
    troubles: list[object] = []

    def block() -> None:
        started.set()
        release.wait(60)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        threads = Threads()
        call = asyncio.create_task(threads.call(block))
        await threads.call(lambda: started.wait(60))
        call.cancel()
        release.set()
        await asyncio.to_thread(until_idle, threads, 2)  # by then the call has told the loop that it has ended

    asyncio.run(main())
    assert troubles == []


def test_a_cancelled_call_goes_on_alone() -> None:
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(60)
        ended.set()

    async def main() -> None:
        threads = Threads()
        call = asyncio.create_task(threads.call(block))
        await threads.call(lambda: started.wait(60))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not ended.is_set()

    asyncio.run(main())
    release.set()  # the loop is closed by now, which must not matter to the thread
    assert ended.wait(60)


def test_an_idle_thread_keeps_nothing_of_its_last_call() -> None:
    class Thing:
        def method(self) -> None: ...

    threads, thing = Threads(), Thing()
    gone = weakref.ref(thing)
    asyncio.run(threads.call(thing.method))
    until_idle(threads, 1)
    del thing
    gc.collect()
    assert gone() is None


def test_an_idle_thread_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execloop._engine.runtime.threads._IDLE_SECONDS", 0.0)
    thread = asyncio.run(Threads().call(threading.current_thread))
    thread.join(60)
    assert not thread.is_alive()


def test_a_blocked_call_does_not_keep_the_process_from_exiting() -> None:
    program = """
        import threading
        from execloop._engine.runtime.threads import Threads
        Threads().start(threading.Event().wait)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=300)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_a_forked_process_makes_threads_of_its_own() -> None:
    program = """
        import asyncio, os
        from execloop._engine.runtime.threads import SHARED
        asyncio.run(SHARED.call(int))
        child = os.fork()
        if not child:
            asyncio.run(asyncio.wait_for(SHARED.call(int), 30))
            os._exit(0)
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], check=True, timeout=300)
