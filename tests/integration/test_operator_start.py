"""What the operator needs at start is said in one line, waited for, and no reason to end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.integration.access import account
from tests.integration.conftest import Kubectl
from tests.integration.endpoints import Endpoints
from tests.integration.operating import Operator, Plans, manifest, operating

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture
def plans(crd: None, cluster: Cluster, namespace: str) -> Plans:
    return Plans(cluster, namespace)


@contextmanager
def started(
    cluster: Cluster, namespaces: list[str], folder: Path, *options: str, kubeconfig: Path | None = None
) -> Iterator[tuple[Operator, Endpoints]]:
    with Endpoints.reserved() as endpoints:
        port = f"--health-port={endpoints.port}"
        with operating(cluster, namespaces, folder, port, *options, kubeconfig=kubeconfig) as operator:
            yield operator, endpoints


def warnings(operator: Operator) -> list[str]:
    return [line.partition("WARNING ")[2] for line in operator.said().splitlines() if "WARNING " in line]


def allow(kubectl: Kubectl, name: str, *rights: str) -> None:
    """A role, and its binding to the service account of that name. A right is `verbs resource`."""
    for number, right in enumerate(rights):
        verbs, resource = right.split()
        kubectl("create", "role", f"{name}-{number}", f"--verb={verbs}", f"--resource={resource}")
        kubectl(
            "create", "rolebinding", f"{name}-{number}", f"--role={name}-{number}", f"--user={_user(kubectl, name)}"
        )


def _user(kubectl: Kubectl, name: str) -> str:
    space = kubectl("get", "serviceaccount", name, "--output=jsonpath={.metadata.namespace}")
    return f"system:serviceaccount:{space}:{name}"


def test_missing_rights_are_named_and_once_they_are_given_it_works(
    plans: Plans, cluster: Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    poor = account(cluster, kubectl, namespace, "poor", tmp_path)
    with started(cluster, [namespace], tmp_path, kubeconfig=poor) as (operator, endpoints):
        lacking = "; ".join(
            f"{right} in {namespace}"
            for right in ("list plans.execloop.dev", "watch plans.execloop.dev", "update plans.execloop.dev/status")
        )
        plans.until(lambda: endpoints.ready() == f"rights are missing: {lacking}", "it says so")
        assert endpoints.healthy() == "ok"
        allow(kubectl, "poor", "get,list,watch plans.execloop.dev", "update plans.execloop.dev/status")
        plans.apply(manifest("a", "marks"))
        plans.wait("a")
        said = warnings(operator)  # RBAC may know of the new rights one after another
        assert said[0] == f"rights are missing: {lacking}; trying again every 2 s"
        assert all(line.startswith("rights are missing: ") for line in said)
        assert "Traceback" not in operator.said()


def test_missing_rights_to_the_lease_are_named(
    plans: Plans, cluster: Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    poor = account(cluster, kubectl, namespace, "poor", tmp_path)
    allow(kubectl, "poor", "get,list,watch plans.execloop.dev", "update plans.execloop.dev/status")
    options = ("--leader-elect", f"--lease-namespace={namespace}", "--lease-name=mine")
    with started(cluster, [namespace], tmp_path, *options, kubeconfig=poor) as (_, endpoints):
        lacking = "; ".join(f"{verb} leases.coordination.k8s.io in {namespace}" for verb in ("get", "update", "create"))
        plans.until(lambda: endpoints.ready() == f"rights are missing: {lacking}", "it says so")
        kubectl("create", "role", "lease", "--verb=get,update,create", "--resource=leases.coordination.k8s.io")
        kubectl("create", "rolebinding", "lease", "--role=lease", f"--user={_user(kubectl, 'poor')}")
        plans.until(lambda: endpoints.ready() == "ok", "it leads")


def test_rights_that_are_taken_away_end_it_and_are_waited_for_then(
    plans: Plans, cluster: Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    poor = account(cluster, kubectl, namespace, "poor", tmp_path)
    allow(kubectl, "poor", "get,list,watch plans.execloop.dev", "update plans.execloop.dev/status")
    with started(cluster, [namespace], tmp_path, kubeconfig=poor) as (operator, endpoints):
        plans.until(lambda: endpoints.ready() == "ok", "it works")
        kubectl("delete", "rolebinding", "poor-0", "poor-1")
        operator.terminate()
        operator.start()
        plans.until(lambda: endpoints.ready().startswith("rights are missing"), "it waits")
        assert operator.process.poll() is None


@pytest.mark.parametrize("elect", [(), ("--leader-elect",)], ids=["alone", "elected"])
def test_a_missing_crd_is_told_by_the_probe_too(own_cluster: Cluster, tmp_path: Path, elect: tuple[str, ...]) -> None:
    with started(own_cluster, [], tmp_path, *elect) as (operator, endpoints):
        plans = Plans(own_cluster)
        missing = "the CRD of Plans is not installed: kubectl apply -f crds/execloop.dev_plans.yaml"
        plans.until(lambda: endpoints.ready() == missing, "it says so")
        assert endpoints.healthy() == "ok"
        own_cluster.kubectl("apply", "--server-side", f"--filename={CRDS}")
        plans.until(lambda: endpoints.ready() == "ok", "it works")
        assert endpoints.healthy() == "ok"
        assert warnings(operator) == [f"{missing}; trying again every 2 s"]


def test_a_signal_ends_it_while_it_waits(
    plans: Plans, cluster: Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    poor = account(cluster, kubectl, namespace, "poor", tmp_path)
    with started(cluster, [namespace], tmp_path, kubeconfig=poor) as (operator, endpoints):
        plans.until(lambda: endpoints.ready().startswith("rights"), "it waits")
        assert operator.terminate() == 0
        assert "Traceback" not in operator.said()


def test_a_port_that_is_taken_is_a_mistake_of_the_users(
    cluster: Cluster, crd: None, namespace: str, tmp_path: Path
) -> None:
    with started(cluster, [namespace], tmp_path) as (first, endpoints):
        Plans(cluster).until(lambda: endpoints.ready() == "ok", "the first has the port")
        (folder := tmp_path / "second").mkdir()
        with operating(cluster, [namespace], folder, f"--health-port={endpoints.port}") as second:
            assert second.process.wait(timeout=30) == 2
            assert second.said().splitlines()[-1] == f"Error: --health-port {endpoints.port}: Address already in use"
        assert first.process.poll() is None
