"""The page of a run on this machine, in a real Chromium."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from execloop import Options, task
from execloop._engine.executor import Executor
from execloop.page.local import shown
from execloop.page.runs.record import Record
from execloop.page.settings import PageSettings
from tests.page.conftest import look
from tests.page.test_browser import AXE, SERIOUS, console, wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome


class Rotation:
    """Fails once, and holds its last task until it may end."""

    def __init__(self) -> None:
        self.runs = 0
        self.go = threading.Event()

    def create(self) -> Any:
        self.runs += 1
        if self.runs == 1:
            return [task("issue", lambda: [task("write <b>key</b>", int)]), task("publish", self._fail)]
        return [task("publish", self.go.wait)] if self.runs == 2 else ()

    def _fail(self) -> None:
        raise ConnectionError("vault: connection refused " * 20)


@contextmanager
def running(rotation: Rotation) -> Iterator[str]:
    record = Record("rotate-keys", time.monotonic, lambda: datetime.now(UTC))

    def live() -> None:
        Executor(Options(sleep_between_runs=0), listeners=(record.listener(),)).run(rotation)
        record.end("Converged", "")

    thread = threading.Thread(target=live)
    with shown(record, PageSettings(0, "127.0.0.1")) as address:
        thread.start()
        try:
            yield address
        finally:
            rotation.go.set()
            thread.join(10)


@pytest.mark.parametrize(
    ("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"]
)
def test_it_is_accessible_and_silent_and_no_wider_than_the_window(chromium: Chrome, dark: bool, phone: bool) -> None:
    look(chromium, dark=dark, phone=phone)
    console(chromium)
    with running(Rotation()) as address:
        chromium.get(address)
        wait(chromium, "#live-mark", "live")
        wait(chromium, ".failure", "connection refused")
        assert console(chromium) == []
        chromium.execute_script(AXE)
        assert chromium.execute_async_script(SERIOUS) == []
        script = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not chromium.execute_script(script)


def test_it_follows_the_run_to_its_end_and_says_that_it_has_ended(chromium: Chrome) -> None:
    look(chromium)
    rotation = Rotation()
    with running(rotation) as address:
        chromium.get(address)
        wait(chromium, ".tree [data-step=running]", "publish")
        rotation.go.set()
        wait(chromium, ".title .state", "Converged")
        wait(chromium, "#live-mark", "ended")
    assert wait(chromium, "#live-mark").text == "ended"  # not reconnecting, though its server has gone
