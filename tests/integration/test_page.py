"""The page on a real API server: two people with rights in different namespaces, and who approves."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import pytest

from execloop.kube import Connection
from execloop.page.server import serve
from execloop.page.settings import PageSettings
from tests.asynchronous import in_event_loop
from tests.cluster import Cluster
from tests.integration.operating import Plans, manifest

HERE = {"Sec-Fetch-Site": "same-origin"}
TABS = ("", "/objects", "/history", "/events", "/yaml")


@contextmanager
def person(cluster: Cluster, namespace: str, role: str) -> Iterator[str]:
    """The token of a service account that has a role in its own namespace."""
    name = f"person-{secrets.token_hex(4)}"
    place = f"--namespace={namespace}"
    cluster.kubectl("create", "serviceaccount", name, place)
    cluster.kubectl(
        "create", "rolebinding", name, f"--clusterrole={role}", f"--serviceaccount={namespace}:{name}", place
    )
    yield cluster.kubectl("create", "token", name, place).strip()


@asynccontextmanager
async def served(cluster: Cluster, **settings: Any) -> AsyncIterator[str]:
    connection = Connection.load(cluster.kubeconfig)
    try:
        async with serve(connection, (), PageSettings(0, "127.0.0.1", **settings)) as port:
            yield f"http://127.0.0.1:{port}"
    finally:
        await connection.close()


async def ask(url: str, token: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def listing(site: str, token: str, name: str) -> str:
    """The list, once it shows a Plan."""
    for _ in range(300):
        if name in (found := (await ask(f"{site}/", token))[1]):
            return found
        await asyncio.sleep(0.2)
    raise AssertionError(f"the list does not show {name}: {found}")


@pytest.mark.usefixtures("crd")
def test_two_people_see_their_own_namespaces_and_no_other(
    cluster: Cluster, namespace: str, other: str, roles: dict[str, str]
) -> None:
    Plans(cluster, namespace).apply(manifest("mine", "noop"))
    Plans(cluster, other).apply(manifest("yours", "noop"))

    @in_event_loop
    async def check(ann: str, bob: str) -> None:
        async with served(cluster) as site:
            seen = await listing(site, ann, f"/plans/{namespace}/mine")
            assert other not in seen
            seen = await listing(site, bob, f"/plans/{other}/yours")
            assert namespace not in seen
            for tab in TABS[:3] + TABS[4:]:
                assert (await ask(f"{site}/plans/{namespace}/mine{tab}", ann))[0] == 200
            for tab in TABS:
                assert (await ask(f"{site}/plans/{namespace}/mine{tab}", bob))[0] == 403
            assert (await ask(f"{site}/", "no-token"))[0] == 303

    with person(cluster, namespace, roles["view"]) as ann, person(cluster, other, roles["view"]) as bob:
        check(ann, bob)


def test_who_approves_through_the_page_is_the_person(
    cluster: Cluster, plans: Plans, namespace: str, roles: dict[str, str]
) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename=crds/approval.yaml")
    plans.apply(manifest("keys", "noop", approval="Manual"))
    pending = {"status": {"state": "NeedsApproval", "pending": {"digest": "d1", "count": 1, "tasks": ["revoke"]}}}
    plans.kubectl("patch", "plan", "keys", "--subresource=status", "--type=merge", f"--patch={json.dumps(pending)}")

    @in_event_loop
    async def approve(token: str, status: int) -> None:
        async with served(cluster, actions=True) as site, aiohttp.ClientSession(cookies={}) as browser:
            signed = await browser.post(f"{site}/login", data={"token": token}, headers=HERE, allow_redirects=False)
            cookie = {"Cookie": signed.headers["Set-Cookie"].partition(";")[0]}
            async with browser.get(f"{site}/plans/{namespace}/keys", headers=cookie) as answer:
                form = (await answer.text()).partition('name="form_token" value="')[2].partition('"')[0]
            sent = {"form_token": form, "digest": "d1", "uid": plans.get("keys")["metadata"]["uid"]}
            url = f"{site}/plans/{namespace}/keys/approve"
            async with browser.post(url, data=sent, headers={**HERE, **cookie}, allow_redirects=False) as answer:
                assert answer.status == status, await answer.text()

    with person(cluster, namespace, roles["view"]) as viewer:
        approve(viewer, 403)
    assert "execloop.dev/approve" not in plans.get("keys")["metadata"].get("annotations", {})
    with person(cluster, namespace, roles["approver"]) as approver:
        approve(approver, 303)
    annotations = plans.get("keys")["metadata"]["annotations"]
    assert annotations["execloop.dev/approve"] == "d1"
    assert annotations["execloop.dev/approved-by"].startswith(f"system:serviceaccount:{namespace}:person-")


def test_a_change_reaches_an_open_page_within_a_second(
    cluster: Cluster, plans: Plans, namespace: str, roles: dict[str, str]
) -> None:
    plans.apply(manifest("shown", "noop"))

    @in_event_loop
    async def watch(token: str) -> None:
        async with served(cluster) as site, aiohttp.ClientSession() as browser:
            await listing(site, token, f"/plans/{namespace}/shown")
            headers = {"Authorization": f"Bearer {token}"}
            async with browser.get(f"{site}/live", headers=headers) as answer:
                await answer.content.readuntil(b"\n\n")
                patch = json.dumps({"status": {"state": "Stalled"}})
                await asyncio.to_thread(
                    plans.kubectl, "patch", "plan", "shown", "--subresource=status", "--type=merge", f"--patch={patch}"
                )
                async with asyncio.timeout(20):  # a busy machine is no failure
                    while b'data-state="Stalled"' not in await answer.content.readuntil(b"\n\n"):
                        pass

    with person(cluster, namespace, roles["view"]) as viewer:
        watch(viewer)
