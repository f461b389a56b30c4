"""The clock that runs on real time, and real threads."""

import asyncio
import threading

import pytest

from execloop._engine.runtime.clock import SYSTEM_CLOCK


def test_an_alarm_rings_on_another_thread() -> None:
    rang: list[int] = []
    done = threading.Event()

    def ring() -> None:
        rang.append(threading.get_ident())
        done.set()

    SYSTEM_CLOCK.alarm(0.0, ring)
    assert done.wait(60)
    assert rang != [threading.get_ident()]


def test_an_alarm_that_was_called_off_does_not_ring() -> None:
    call_off = SYSTEM_CLOCK.alarm(1e9, lambda: pytest.fail("it rang"))
    call_off()


def test_run_until_returns_when_the_work_has_ended() -> None:
    done: list[bool] = []
    assert SYSTEM_CLOCK.run_until(1e12, lambda: done.append(True), lambda: pytest.fail("it expired"))
    assert done == [True]


def test_run_until_leaves_work_that_blocks() -> None:
    release, expired = threading.Event(), list[bool]()

    def block() -> None:
        release.wait(60)

    assert not SYSTEM_CLOCK.run_until(0.0, block, lambda: expired.append(True))
    assert expired == [True]
    release.set()


def test_a_sleep_ends_when_it_is_woken() -> None:
    wake = threading.Event()
    wake.set()
    SYSTEM_CLOCK.sleep(1e12, wake)

    async def main() -> None:
        awake = asyncio.Event()
        asyncio.get_running_loop().call_soon(awake.set)
        await SYSTEM_CLOCK.asleep(1e12, awake)

    asyncio.run(main())
