"""What holds for every test."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure: timings belong to benchmarks/.
settings.register_profile("execloop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("execloop")

_SECONDS = {"chart": 300, "page": 300, "gitops": 300, "integration": 300, "e2e": 1800}
"""The limit of a test that talks to real programs. Its fixtures do not count: the first may have to build them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for item in items:
        if not item.path.is_relative_to(tests):
            continue
        folder = item.path.relative_to(tests).parts[0]
        if folder in _SECONDS and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SECONDS[folder], func_only=True))
