"""The documentation's site in a real Chromium: axe finds nothing serious on its main pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from release.site.build import build
from tests.page.conftest import look
from tests.page.test_browser import AXE, SERIOUS

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome

PAGES = (
    *("index", "start", "concepts", "command", "troubleshoot"),
    *("comparison", "reference/plan"),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "built"
    build(folder)
    return folder


@pytest.mark.parametrize(
    ("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"]
)
def test_axe_finds_nothing_serious(chromium: Chrome, built: Path, dark: bool, phone: bool) -> None:
    look(chromium, dark=dark, phone=phone)
    for page in PAGES:
        chromium.get(f"file://{built}/{page}.html")
        chromium.execute_script(AXE)
        assert (page, chromium.execute_async_script(SERIOUS)) == (page, [])
