import os
import queue
import subprocess
import sys
import textwrap
import threading
from functools import partial

import pytest

from execloop._engine.runtime.alarms import Alarms

LONG = 600.0


def ignore() -> None: ...


def test_they_ring_in_the_order_of_their_times_on_one_thread_that_is_a_daemon() -> None:
    alarms, order, done = Alarms(), list[str](), threading.Event()
    threads: set[threading.Thread] = set()

    def ring(name: str) -> None:
        threads.add(threading.current_thread())
        order.append(name)

    alarms.set(LONG, ignore)
    alarms.set(0.03, done.set)
    alarms.set(0.02, lambda: ring("second"))
    alarms.set(0.01, lambda: ring("first"))
    assert done.wait(60)
    assert order == ["first", "second"]
    assert [thread.daemon for thread in threads] == [True]


def test_one_that_is_called_off_does_not_ring() -> None:
    alarms, order, done = Alarms(), list[str](), threading.Event()
    call_off = alarms.set(0.01, lambda: order.append("called off"))
    call_off()
    call_off()  # a second time does nothing
    alarms.set(0.02, done.set)
    assert done.wait(60)
    assert order == []


def test_those_that_are_called_off_are_not_kept() -> None:
    alarms = Alarms()
    alarms.set(LONG, ignore)
    for _ in range(10_000):
        alarms.set(LONG, ignore)()
    assert len(alarms._alarms) < 200


def test_its_thread_ends_when_there_is_none_and_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execloop._engine.runtime.alarms._IDLE_SECONDS", 0.0)
    alarms = Alarms()
    for _ in range(2):
        rung: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()
        alarms.set(0.0, partial(tell, rung))
        thread = rung.get(timeout=60)
        thread.join(60)
        assert not thread.is_alive()


def tell(rung: queue.SimpleQueue[threading.Thread]) -> None:
    rung.put(threading.current_thread())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_a_forked_process_has_a_thread_of_its_own() -> None:
    program = """
        import os, threading
        from execloop._engine.runtime.alarms import Alarms
        alarms = Alarms()
        alarms.set(600, list)
        child = os.fork()
        if not child:
            done = threading.Event()
            alarms.set(0, done.set)
            os._exit(not done.wait(30))
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], check=True, timeout=300)
