"""The cluster that every other integration test stands on."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster import Cluster, KubectlFailed
from tests.cluster.cluster import wait_until
from tests.cluster.locks import try_lock
from tests.integration.conftest import Kubectl

ROOT = Path(__file__).parents[2]


def test_the_api_server_answers_an_administrator(cluster: Cluster) -> None:
    assert cluster.ready()
    assert cluster.kubectl("auth", "can-i", "*", "*", "--all-namespaces").strip() == "yes"


def test_an_unknown_token_is_refused_and_a_service_account_has_no_rights(cluster: Cluster, namespace: str) -> None:
    if cluster.token is None:
        pytest.skip(f"the kubeconfig of {cluster.server} has no token")
    assert "You must be logged in" in cluster.kubectl("get", "pods", "--token=wrong", check=False)
    asked = cluster.kubectl("auth", "can-i", "get", "pods", f"--as=system:serviceaccount:{namespace}:x", check=False)
    assert asked.startswith("no")


def test_a_service_account_gets_a_token_that_the_api_server_accepts(cluster: Cluster, kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "worker")
    token = kubectl("create", "token", "worker").strip()
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    reviewed = json.loads(kubectl("create", "--filename=-", "--output=json", input=json.dumps(review)))
    assert reviewed["status"]["authenticated"]


def test_a_failed_kubectl_raises_what_it_wrote(kubectl: Kubectl) -> None:
    with pytest.raises(KubectlFailed, match=r"get configmap none: exit 1: .*not found"):
        kubectl("get", "configmap", "none")


def test_an_unchecked_kubectl_returns_what_it_wrote(kubectl: Kubectl) -> None:
    assert "not found" in kubectl("get", "configmap", "none", check=False)


def test_the_kubectl_fixture_stays_in_its_namespace(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "configmap", "here")
    assert kubectl("get", "configmap", "here", "--output=jsonpath={.metadata.namespace}") == namespace


@pytest.mark.usefixtures("crd")
def test_the_projects_resources_are_served(cluster: Cluster) -> None:
    assert "plans" in cluster.kubectl("api-resources", "--output=name")


def test_what_a_deleted_owner_owned_is_collected(cluster: Cluster, kubectl: Kubectl) -> None:
    _needs_controller_manager(cluster)
    kubectl("create", "configmap", "owner")
    uid = kubectl("get", "configmap", "owner", "--output=jsonpath={.metadata.uid}")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "owned", "ownerReferences": [reference]},
    }
    kubectl("apply", "--filename=-", input=json.dumps(owned))
    kubectl("delete", "configmap", "owner")
    kubectl("wait", "--for=delete", "configmap/owned", "--timeout=60s")
    assert "owned" not in kubectl("get", "configmaps", "--output=name")


def test_a_deleted_namespace_goes_away(cluster: Cluster) -> None:
    _needs_controller_manager(cluster)
    cluster.kubectl("create", "namespace", "short-lived")
    cluster.kubectl("delete", "namespace", "short-lived", "--timeout=60s")
    assert "short-lived" not in cluster.kubectl("get", "namespaces", "--output=name")


def test_the_api_server_goes_and_comes_back_with_its_data(own_cluster: Cluster) -> None:
    own_cluster.kubectl("create", "configmap", "kept")
    own_cluster.stop_api_server()
    assert "refused" in own_cluster.kubectl("get", "configmap", "kept", check=False)
    own_cluster.start_api_server()
    assert own_cluster.kubectl("get", "configmap", "kept", "--output=name") == "configmap/kept\n"


USER = """
    import sys
    from pathlib import Path
    from tests.cluster import provide

    with provide(Path(sys.argv[1]) if sys.argv[1:] else None) as cluster:
        print(cluster.to_json(), flush=True)
        sys.stdin.read()
"""

User = subprocess.Popen[str]


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Path:
    """What the users below take for the system's folder of temporary files."""
    if cluster.supervisor is None:
        pytest.skip(f"the cluster at {cluster.server} is not ours to end")
    return tmp_path


def use_cluster(place: Path, *folder: Path) -> User:
    command = [sys.executable, "-c", textwrap.dedent(USER), *map(str, folder)]
    environment = os.environ | {"TMPDIR": str(place)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def cluster_of(user: User) -> Cluster:
    assert user.stdout
    return Cluster.from_json(user.stdout.readline())


@contextmanager
def watched(folder: Path) -> Iterator[Callable[[], bool]]:
    """Whether anything of the cluster of that folder lives: each of its processes holds a lock, until it ends."""
    lock = os.open(folder / "supervisor", os.O_RDWR)
    yield lambda: not try_lock(lock)
    os.close(lock)


def test_users_of_one_folder_share_a_control_plane_until_the_last_has_gone(place: Path) -> None:
    with use_cluster(place, place) as first, use_cluster(place, place) as second:
        shared = cluster_of(first)
        assert cluster_of(second) == shared
        with watched(place) as lives:
            first.kill()
            first.wait()
            assert shared.ready()
            second.communicate()
            wait_until(lambda: not lives(), seconds=30, what="the control plane's end")


def test_nothing_outlives_a_user_that_was_killed(place: Path) -> None:
    with use_cluster(place) as user, watched(cluster_of(user).kubeconfig.parent) as lives:
        assert lives()
        user.kill()
        wait_until(lambda: not lives(), seconds=30, what="the control plane's end")
    assert not any(place.iterdir())


def test_ctrl_c_while_a_cluster_starts_ends_what_has_started(place: Path) -> None:
    command = [sys.executable, "-m", "tests.cluster", "up", f"--folder={place / 'left'}"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as starting:
        wait_until((place / "left" / "data" / "etcd.sock").exists, seconds=30, what="etcd")
        with watched(place / "left") as lives:
            starting.send_signal(signal.SIGINT)
            assert starting.communicate()[1] == "interrupted; nothing is left running\n"
            wait_until(lambda: not lives(), seconds=30, what="the control plane's end")
    assert starting.returncode == 128 + signal.SIGINT
    assert not any(place.iterdir())


def test_a_cluster_that_is_held_ends_with_standard_input(place: Path) -> None:
    command = [sys.executable, "-m", "tests.cluster", "hold", f"--folder={place}"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdout
        assert holding.stdout.readline() == f"{place / 'kubeconfig'}\n"
        with watched(place) as lives:
            assert lives()
            holding.communicate()
            wait_until(lambda: not lives(), seconds=30, what="the control plane's end")


def test_the_command_leaves_one_cluster_running_until_it_is_told_to_end_it(place: Path) -> None:
    folder = place / "left"
    try:
        assert run("up", folder) == run("up", folder) == f"{folder / 'kubeconfig'}\n"
        tool = [str(folder / "bin" / "kubectl"), f"--kubeconfig={folder / 'kubeconfig'}", "get", "--raw=/readyz"]
        assert subprocess.run(tool, capture_output=True, text=True, check=True).stdout == "ok"
        with watched(folder) as lives:
            run("down", folder)
            wait_until(lambda: not lives(), seconds=30, what="the control plane's end")
        assert not any(place.iterdir())
    finally:
        run("down", folder)


def test_the_command_ends_what_outlived_a_killed_supervisor(place: Path) -> None:
    folder = place / "left"
    run("up", folder)
    with watched(folder) as lives:
        os.kill(int((folder / "supervisor").read_text()), signal.SIGKILL)
        assert lives()
        run("down", folder)
        wait_until(lambda: not lives(), seconds=30, what="the control plane's end")
    assert not any(place.iterdir())


def run(command: str, folder: Path) -> str:
    line = [sys.executable, "-m", "tests.cluster", command, f"--folder={folder}"]
    return subprocess.run(line, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def _needs_controller_manager(cluster: Cluster) -> None:
    if not cluster.controller_manager:
        pytest.skip("the cluster has no controller manager")
