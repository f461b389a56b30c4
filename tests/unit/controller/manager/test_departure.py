"""The process leaves for certain, whatever plan code left running."""

import subprocess
import sys
import textwrap

import pytest

KEPT = {
    "a thread of its own": "threading.Thread(target=threading.Event().wait).start()",
    "a thread of an executor": "ThreadPoolExecutor().submit(threading.Event().wait)",
    "an exit handler": "atexit.register(threading.Event().wait)",
    "a lock of the log": "threading.Thread(target=lambda: logging.root.handlers[0].acquire()).start()",
}


def left(*lines: str) -> subprocess.CompletedProcess[str]:
    program = "\n".join(
        [
            "import atexit, logging, sys, threading",
            "from concurrent.futures import ThreadPoolExecutor",
            "from execloop.controller.manager.departure import leave, leave_within",
            "logging.basicConfig(stream=sys.stderr)",
            *map(textwrap.dedent, lines),
        ]
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
def test_nothing_holds_the_exit_up(kept: str) -> None:
    assert left(kept, "leave(3)").returncode == 3


def test_what_was_said_is_written_out() -> None:
    ended = left("print('out', end='')", "logging.error('log')", "leave(0)")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "out", "ERROR:root:log\n")


def test_a_stop_that_hangs_is_ended_after_its_time_and_says_so() -> None:
    ended = left("leave_within(0.01, 1)", "threading.Event().wait()")
    assert ended.returncode == 1
    assert "not stopped within 0 s; exiting" in ended.stderr
