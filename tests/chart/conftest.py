from pathlib import Path

import pytest

from tests.chart.rendering import Chart, Rendered
from tests.cluster.errors import Unavailable
from tests.cluster.tools import find_tool
from tests.integration.conftest import cluster, crd, did, kubectl, namespace, plans

__all__ = ["cluster", "crd", "did", "kubectl", "namespace", "plans"]


@pytest.fixture(scope="session")
def helm() -> Path:
    try:
        return find_tool("helm")
    except Unavailable as reason:
        pytest.skip(f"no helm: {reason}")


@pytest.fixture(scope="session")
def chart(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(helm, tmp_path_factory.mktemp("values"))


@pytest.fixture(scope="session")
def default(chart: Chart) -> Rendered:
    return chart.render()
