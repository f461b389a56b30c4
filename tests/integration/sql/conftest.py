"""One PostgreSQL for the tests of the plan `sql`; each test has a database of its own."""

from collections.abc import Iterator

import pytest

from tests.cluster.errors import Unavailable
from tests.integration.sql.postgres import Postgres, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    try:
        with running() as server:
            yield server
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def database(postgres: Postgres) -> str:
    return postgres.create()
