"""Who we are to a real API server, and how that changes while we talk to it."""

import asyncio
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiException, CoreV1Api

from execloop.kube import ApiError, Connection, Kube, api_client
from tests.asynchronous import in_event_loop
from tests.cluster import Cluster
from tests.integration.conftest import Kubectl

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def who_am_i(connection: Connection) -> str:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await connection.request("POST", REVIEW, body=review)
    return str(answer["status"]["userInfo"]["username"])


@pytest.fixture
def worker(kubectl: Kubectl, namespace: str) -> str:
    """The user name of a service account that may do nothing."""
    kubectl("create", "serviceaccount", "worker")
    return f"system:serviceaccount:{namespace}:worker"


def with_user(cluster: Cluster, folder: Path, user: dict[str, Any]) -> Path:
    """A kubeconfig for the same cluster as another user."""
    view = cluster.kubectl("config", "view", "--minify", "--flatten", "--raw", "--output=json")
    config = json.loads(view)
    config["users"][0]["user"] = user
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


@in_event_loop
async def test_a_rotated_token_file_is_read_again_when_the_old_token_is_rejected(
    cluster: Cluster, kubectl: Kubectl, worker: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("expired")
    connection = Connection.load(with_user(cluster, tmp_path, {"tokenFile": "token"}))
    with pytest.raises(ApiError, match="401 Unauthorized"):
        await who_am_i(connection)
    token.write_text(kubectl("create", "token", "worker"))
    assert await who_am_i(connection) == worker


@in_event_loop
async def test_an_exec_plugin_says_who_we_are(cluster: Cluster, kubectl: Kubectl, worker: str, tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1"
    status = {"token": kubectl("create", "token", "worker").strip()}
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(credential))})\n")
    plugin.chmod(stat.S_IRWXU)
    path = with_user(cluster, tmp_path, {"exec": {"apiVersion": version, "command": "./plugin"}})
    assert await who_am_i(Connection.load(path)) == worker


@in_event_loop
async def test_a_service_account_can_be_acted_for(cluster: Cluster, namespace: str, worker: str) -> None:
    connection = Connection.load(cluster.kubeconfig)
    assert await who_am_i(connection.impersonating(namespace, "worker")) == worker
    assert await who_am_i(connection) != worker


@in_event_loop
async def test_a_session_that_was_handed_out_is_ourselves(cluster: Cluster) -> None:
    connection = Connection.load(cluster.kubeconfig)
    async with connection.open_session() as session, session.get(f"{connection.server}/api") as response:
        assert (response.status, (await response.json())["kind"]) == (200, "APIVersions")


@in_event_loop
async def test_an_error_never_shows_a_token(cluster: Cluster, tmp_path: Path) -> None:
    connection = Connection.load(with_user(cluster, tmp_path, {"token": "s3cret-token"}))
    with pytest.raises(ApiError) as refused:
        await who_am_i(connection)
    assert "s3cret" not in repr(refused.value) + str(refused.value) + repr(connection.cluster)


def test_many_loops_in_many_threads_share_a_connection(cluster: Cluster) -> None:
    connection = Connection.load(cluster.kubeconfig)

    async def count() -> int:
        found = await asyncio.gather(*(Kube(connection).list("v1", "Namespace") for _ in range(5)))
        return len(found)

    async def main() -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(asyncio.run, count()) for _ in range(4)))

    assert asyncio.run(main()) == [5, 5, 5, 5]


@in_event_loop
async def test_a_closed_session_opens_again(cluster: Cluster) -> None:
    connection = Connection.load(cluster.kubeconfig)
    before = await who_am_i(connection)
    await connection.close()
    assert await who_am_i(connection) == before


# --- the official client


def test_the_official_client_works_outside_async_code(cluster: Cluster, namespace: str) -> None:
    with api_client(Connection.load(cluster.kubeconfig)) as client:
        names = [item.metadata and item.metadata.name for item in CoreV1Api(client).list_namespace().items]
        assert namespace in names
        client.rest_client.close()


def test_the_official_client_acts_for_the_same_service_account(cluster: Cluster, namespace: str, worker: str) -> None:
    connection = Connection.load(cluster.kubeconfig).impersonating(namespace, "worker")
    with api_client(connection) as client:
        with pytest.raises(ApiException, match=worker) as refused:
            CoreV1Api(client).list_namespace()
        assert refused.value.status == 403
        client.rest_client.close()


def test_the_official_client_reads_a_rotated_token(
    cluster: Cluster, kubectl: Kubectl, worker: str, namespace: str, tmp_path: Path
) -> None:
    kubectl("create", "rolebinding", "view", "--clusterrole=view", f"--serviceaccount={namespace}:worker")
    token = tmp_path / "token"
    token.write_text(kubectl("create", "token", "worker"))
    connection = Connection.load(with_user(cluster, tmp_path, {"tokenFile": "token"}))
    with api_client(connection) as client:
        CoreV1Api(client).list_namespaced_config_map(namespace)
        token.write_text("expired")
        connection.cluster.credentials.renew(connection.cluster.credentials.fresh())
        with pytest.raises(Exception, match="Unauthorized"):
            CoreV1Api(client).list_namespaced_config_map(namespace)
        client.rest_client.close()
