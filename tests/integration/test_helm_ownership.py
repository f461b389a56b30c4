"""Helm after `kubectl apply`, in a cluster of its own: who owns the CRD and the policies then."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster import provide
from tests.cluster.errors import Unavailable
from tests.cluster.tools import find_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster

ROOT = Path(__file__).parents[2]
CRDS = ROOT / "crds"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    try:
        with provide(tmp_path) as cluster:
            yield cluster
    except Unavailable as reason:
        pytest.skip(str(reason))


def install(cluster: Cluster, *flags: str) -> subprocess.CompletedProcess[str]:
    chart = ["install", "execloop", str(ROOT / "charts" / "execloop"), "--namespace=execloop", "--create-namespace"]
    command = [str(find_tool("helm")), *chart, "--set=image.repository=r", f"--kubeconfig={cluster.kubeconfig}", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_helm_takes_over_what_kubectl_applied_with_both_flags_and_not_without(own: Cluster) -> None:
    own.kubectl("apply", f"--filename={CRDS}")
    assert "invalid ownership metadata" in install(own).stderr
    done = install(own, "--take-ownership", "--force-conflicts")
    assert done.returncode == 0, done.stderr
    labels = "--output=jsonpath={.metadata.labels}"
    assert '"app.kubernetes.io/managed-by":"Helm"' in own.kubectl("get", "crd", "plans.execloop.dev", labels)


def test_the_crd_alone_may_stay_kubectls(own: Cluster) -> None:
    own.kubectl("apply", f"--filename={CRDS / 'execloop.dev_plans.yaml'}")
    done = install(own, "--set=crds.install=false")
    assert done.returncode == 0, done.stderr
