"""A real Chromium in front of the page, which serves an API server in memory."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from execloop.page.runs.known import KnownRuns
from execloop.page.runs.recent import Recent
from execloop.page.server import serve
from execloop.page.settings import PageSettings
from tests.cluster.debian import need
from tests.cluster.errors import Unavailable
from tests.page_cluster import PageCluster, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from selenium.webdriver import Chrome

TOKEN = "a-token"
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900")


class Served:
    """The page in a thread with a loop of its own; it can be cut off, and come back at the same address."""

    def __init__(self) -> None:
        self.cluster = PageCluster({TOKEN: User("ann", {("*", "*")})})
        self.port = 0
        self.recent = Recent(time.monotonic, lambda: datetime.now(UTC))
        self.holder: str | None = None
        """Of the Lease, when that is another replica."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stop = asyncio.Event()
        self._life: Future[None] | None = None

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self, key: Path | None = None) -> None:
        """`key`: the file that replicas share; None for a key of its own."""
        ready = threading.Event()
        self._life = asyncio.run_coroutine_threadsafe(self._live(ready, key), self._loop)
        assert ready.wait(30)

    async def _live(self, ready: threading.Event, key: Path | None) -> None:
        self._stop = asyncio.Event()
        settings = PageSettings(self.port, "localhost", actions=True, key=key)
        runs = KnownRuns(self.recent, lambda *_: self.holder, self.port)
        async with serve(self.cluster.connection, (), settings, runs=runs) as self.port:
            ready.set()
            await self._stop.wait()

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        assert self._life is not None
        self._life.result(30)

    def do(self, deed: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call it in the loop of the page."""

        async def call() -> Any:
            return deed(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(60)

    def close(self) -> None:
        if self._life is not None and not self._life.done():
            self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("k" * 32)
    return file


@pytest.fixture
def site(key: Path) -> Iterator[Served]:
    served = Served()
    served.start(key)
    yield served
    served.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chrome]:
    try:
        need("chromium", "chromedriver", packages=["chromium", "chromium-driver"])
    except Unavailable as reason:
        pytest.skip(f"no Chromium: {reason}")
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in _OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: Chrome, site: Served) -> Chrome:
    """Signed in by the form, in light colours and as wide as a desk."""
    from selenium.webdriver.support.ui import WebDriverWait

    look(chromium)
    chromium.delete_all_cookies()
    chromium.get(f"{site.address}/login")
    chromium.find_element("id", "token").send_keys(TOKEN)
    chromium.find_element("css selector", "button.primary").click()
    WebDriverWait(chromium, 30).until(
        lambda _: chromium.find_elements("id", "filters")
    )  # before another page is opened
    return chromium


def look(browser: Chrome, *, dark: bool = False, phone: bool = False) -> None:
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
    metrics = {**size, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
