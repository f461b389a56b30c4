from collections.abc import Iterator

import pytest

from execloop.library.http import client
from execloop.library.http.pace import Pace
from tests.unit.library.http.api import Api, serving


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(client, "pace", Pace())
    with serving() as made:
        yield made
