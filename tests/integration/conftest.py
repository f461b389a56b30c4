"""Fixtures around one real API server, which all workers of a test session share."""

import gc
import secrets
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from tests.cluster import Cluster, NoCluster, provide
from tests.integration.operating import Did, Operator, Plans, operating

_SHIPPED = Path(__file__).parents[2] / "crds"
_CRDS = _SHIPPED / "execloop.dev_plans.yaml"


class Kubectl(Protocol):
    def __call__(self, *args: str, input: str | None = None, check: bool = True) -> str: ...  # noqa: A002  subprocess's word


@pytest.fixture(scope="session")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, request: pytest.FixtureRequest
) -> Iterator[Cluster]:
    """Started by the first test of any worker that asks for it; ends with the last worker."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "cluster"
    folder.mkdir(exist_ok=True)
    with _provided(folder, request) as shared:
        yield shared


@pytest.fixture
def own_cluster(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A control plane that nobody else uses, for a test that stops its API server."""
    if cluster.supervisor is None:
        pytest.skip(f"the cluster at {cluster.server} is not ours to stop, nor would another be")
    with _provided(None, request) as own:
        yield own
    with warnings.catch_warnings():  # asyncio leaves a TLS transport to the collector when its server dies
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # now, and not in another's test


@contextmanager
def _provided(folder: Path | None, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with ExitStack() as stack:
        try:
            with capture.global_and_fixture_disabled():  # a build tells how far it is
                cluster = stack.enter_context(provide(folder))
        except NoCluster as none:
            pytest.skip(str(none))
        yield cluster


@pytest.fixture(scope="session")
def crd(cluster: Cluster) -> None:
    """The project's own resources, known to the API server, and the policy about Secrets, which covers every Plan."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={_CRDS}")
    cluster.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={_SHIPPED / 'secrets.yaml'}")
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"--filename={_CRDS}")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh one; its deletion is left to the cluster."""
    name = f"test-{secrets.token_hex(5)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def kubectl(cluster: Cluster, namespace: str) -> Kubectl:
    return partial(cluster.kubectl, f"--namespace={namespace}")


@pytest.fixture
def plans(crd: None, cluster: Cluster, namespace: str) -> Plans:
    return Plans(cluster, namespace)


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    with operating(cluster, [namespace], tmp_path) as running:
        yield running


@pytest.fixture
def did(tmp_path: Path, namespace: str) -> Did:
    def read(name: str) -> list[str]:
        file = tmp_path / f"{namespace}-{name}"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    return read


@pytest.fixture
def roles(cluster: Cluster, namespace: str) -> Iterator[dict[str, str]]:
    """ClusterRoles as the chart makes them: to read Plans and to approve them."""
    verbs = {"view": "get,list,watch", "approver": "get,list,watch,patch,approve"}
    names = {role: f"{namespace}-{role}" for role in verbs}
    for role, name in names.items():
        cluster.kubectl("create", "clusterrole", name, f"--verb={verbs[role]}", "--resource=plans.execloop.dev")
    yield names
    cluster.kubectl("delete", "clusterrole", *names.values())


@pytest.fixture
def other(cluster: Cluster) -> Iterator[str]:
    name = f"test-{secrets.token_hex(5)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
