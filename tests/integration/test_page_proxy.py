"""The page behind a trusted proxy, on a real API server: whom it acts as, and what that person may do."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING

import aiohttp
import pytest
from multidict import CIMultiDict

from execloop.kube import Connection
from tests.asynchronous import in_event_loop
from tests.integration.operating import Plans, manifest
from tests.integration.test_page import HERE, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster import Cluster

REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
KEY = secrets.token_hex(20)
PENDING = {"status": {"state": "NeedsApproval", "pending": {"digest": "d1", "count": 1, "tasks": ["revoke"]}}}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(KEY)
    return file


@pytest.fixture
def ann(namespace: str) -> str:
    return f"ann-{namespace}@example.org"


@pytest.fixture
def approver(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A ClusterRole as the chart makes it."""
    name = f"{namespace}-approver"
    verbs = "--verb=get,list,watch,patch,approve"
    cluster.kubectl("create", "clusterrole", name, verbs, "--resource=plans.execloop.dev")
    yield name
    cluster.kubectl("delete", "clusterrole", name)


def through_proxy(user: str, *groups: str) -> CIMultiDict[str]:
    headers = CIMultiDict({"X-Proxy-Secret": KEY, "X-Remote-User": user})
    for group in groups:
        headers.add("X-Remote-Group", group)
    return headers


async def ask(url: str, headers: CIMultiDict[str]) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


def test_a_person_without_rights_sees_nothing_and_a_group_gives_them(
    cluster: Cluster, plans: Plans, namespace: str, ann: str, approver: str, secret: Path
) -> None:
    plans.apply(manifest("keys", "noop"))
    grant = ("create", "rolebinding", "team", f"--clusterrole={approver}", f"--namespace={namespace}")
    cluster.kubectl(*grant, f"--group=oidc:{namespace}")

    @in_event_loop
    async def check() -> None:
        async with served(cluster, impersonate=secret) as site:
            for _ in range(300):
                if f"/plans/{namespace}/keys" in (await ask(f"{site}/", through_proxy(ann, namespace)))[1]:
                    break
                await asyncio.sleep(0.2)
            else:
                raise AssertionError("the list does not show the Plan")
            assert (await ask(f"{site}/plans/{namespace}/keys", through_proxy(ann, namespace)))[0] == 200
            status, seen = await ask(f"{site}/", through_proxy(ann))
            assert (status, namespace in seen.replace(ann, "")) == (200, False)
            status, seen = await ask(f"{site}/plans/{namespace}/keys", through_proxy(ann))
            assert status == 403
            assert f"oidc:{ann}" in seen  # the API server names whom it refuses: the person, not the operator

    check()


def test_who_approves_through_a_proxy_is_the_person_for_the_api_server_too(
    cluster: Cluster, plans: Plans, namespace: str, ann: str, approver: str, secret: Path
) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename=crds/approval.yaml")
    cluster.kubectl("create", "rolebinding", "ann", f"--clusterrole={approver}", f"--user=oidc:{ann}", "-n", namespace)
    plans.apply(manifest("keys", "noop", approval="Manual"))
    plans.kubectl("patch", "plan", "keys", "--subresource=status", "--type=merge", f"--patch={json.dumps(PENDING)}")

    @in_event_loop
    async def approve() -> None:
        async with served(cluster, actions=True, impersonate=secret) as site, aiohttp.ClientSession() as browser:
            place, headers = f"{site}/plans/{namespace}/keys", through_proxy(ann)
            async with browser.get(place, headers=headers) as answer:
                form = (await answer.text()).partition('name="form_token" value="')[2].partition('"')[0]
            sent = {"form_token": form, "digest": "d1", "uid": plans.get("keys")["metadata"]["uid"]}
            headers.extend(HERE)
            async with browser.post(f"{place}/approve", data=sent, headers=headers, allow_redirects=False) as answer:
                assert answer.status == 303, await answer.text()

    approve()
    # the policy of crds/approval.yaml takes no other name here than that of the request's user
    assert plans.get("keys")["metadata"]["annotations"]["execloop.dev/approved-by"] == f"oidc:{ann}"


@pytest.mark.usefixtures("crd")
def test_headers_of_another_peer_and_groups_of_kubernetes_are_refused(cluster: Cluster, secret: Path) -> None:
    @in_event_loop
    async def check() -> None:
        async with served(cluster, impersonate=secret, impersonate_prefix="") as site:
            forged = through_proxy("ann")
            forged["X-Proxy-Secret"] = "guess" * 10
            assert (await ask(f"{site}/", forged))[0] == 403
            assert (await ask(f"{site}/", through_proxy("ann", "system:masters")))[0] == 403
            assert (await ask(f"{site}/", through_proxy("system:admin")))[0] == 403
            assert (await ask(f"{site}/", through_proxy("ann")))[0] == 200

    check()


@pytest.mark.usefixtures("crd")
def test_the_api_server_takes_each_group_of_an_impersonated_user(cluster: Cluster) -> None:
    @in_event_loop
    async def check() -> None:
        connection = Connection.load(cluster.kubeconfig)
        try:
            person = connection.acting_as("oidc:änn", ["oidc:a", "oidc:b"])
            answer = await person.request("POST", REVIEWS, body=REVIEW)
        finally:
            await connection.close()
        info = answer["status"]["userInfo"]
        assert (info["username"], info["groups"]) == ("oidc:änn", ["oidc:a", "oidc:b", "system:authenticated"])

    check()
