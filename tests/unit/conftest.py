from collections.abc import Iterator

import pytest

from tests.controlling import Controller, controlling


@pytest.fixture
def control() -> Iterator[Controller]:
    with controlling() as controller:
        yield controller
