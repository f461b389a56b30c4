"""What people may do through the page, and what the API server then sees."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from execloop.page.site import Site
from tests.api_server import Object
from tests.asynchronous import in_event_loop
from tests.page_cluster import PageCluster, User, bearer, page, reader

Client = TestClient[web.Request, web.Application]

HERE = {"Sec-Fetch-Site": "same-origin"}
ACTIONS = ["reconcile", "retry", "suspend", "resume", "approve"]
READS = {("get", "a"), ("list", "a")}
PENDING = {"digest": "d1", "count": 1, "tasks": ["revoke"], "details": [{"name": "revoke", "detail": "key k-1"}]}


def cluster_of(plan: Object | None = None) -> PageCluster:
    cluster = PageCluster(
        {
            "viewer": reader("vera", "a"),
            "editor": User("ed", {*READS, ("patch", "a")}),
            "approver": User("ann", {*READS, ("patch", "a"), ("approve", "a")}),
            "elsewhere": User("eve", {("*", "b")}),
        }
    )
    cluster.put("a", "keys", status=plan or {"state": "NeedsApproval", "pending": PENDING})
    return cluster


def uid(cluster: PageCluster) -> str:
    return str(cluster.answer("GET", "/apis/execloop.dev/v1alpha1/namespaces/a/plans/keys")["metadata"]["uid"])


async def act(client: Client, site: Site, action: str, token: str = "approver", **form: str) -> tuple[int, str]:
    user = form.pop("signed_for", None) or getattr(site.connection, "users")[token].name  # noqa: B009 - of the fake
    sent = {"form_token": site.sessions.form_token(user), "digest": "d1", **form}
    path = f"/plans/a/keys/{action}"
    async with client.post(path, data=sent, headers={**HERE, **bearer(token)}, allow_redirects=False) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("action", ACTIONS)
@in_event_loop
async def test_actions_are_off_unless_they_are_turned_on(action: str) -> None:
    cluster = cluster_of()
    async with page(cluster) as (client, site):
        status, _ = await act(client, site, action, uid=uid(cluster))
        assert status == 404
        assert cluster.wrote == []
        async with client.get("/plans/a/keys", headers=bearer("approver")) as answer:
            assert f"/plans/a/keys/{action}" not in await answer.text()


@pytest.mark.parametrize("action", ACTIONS)
@in_event_loop
async def test_the_person_writes_not_the_operator(action: str) -> None:
    cluster = cluster_of()
    async with page(cluster, actions=True) as (client, site):
        status, _ = await act(client, site, action, uid=uid(cluster))
        assert status == 303
        ((who, path, body),) = cluster.wrote
        assert (who, path) == ("ann", "/apis/execloop.dev/v1alpha1/namespaces/a/plans/keys")
        assert body["metadata"]["uid"] == uid(cluster)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("token", ["viewer", "elsewhere"])
@in_event_loop
async def test_who_may_not_is_refused_by_the_api_server(action: str, token: str) -> None:
    cluster = cluster_of()
    async with page(cluster, actions=True) as (client, site):
        status, text = await act(client, site, action, token, uid=uid(cluster))
        assert status == 403
        assert "You may not do this" in text
        assert cluster.wrote == []


@pytest.mark.parametrize("action", [*ACTIONS, "../../../logout"])
@pytest.mark.parametrize(
    ("headers", "form_token"),
    [({}, "good"), ({"Sec-Fetch-Site": "cross-site"}, "good"), (HERE, "bad"), (HERE, "other")],
)
@in_event_loop
async def test_a_form_of_another_site_or_person_does_nothing(
    action: str, headers: dict[str, str], form_token: str
) -> None:
    cluster = cluster_of()
    async with page(cluster, actions=True) as (client, site):
        tokens = {"good": site.sessions.form_token("ann"), "bad": "x", "other": site.sessions.form_token("vera")}
        sent = {"form_token": tokens[form_token], "digest": "d1", "uid": uid(cluster)}
        path = f"/plans/a/keys/{action}"
        async with client.post(path, data=sent, headers={**headers, **bearer("approver")}) as answer:
            assert answer.status == 403
        assert cluster.wrote == []


@in_event_loop
async def test_an_approval_has_the_digest_that_the_person_saw_and_the_person() -> None:
    cluster = cluster_of()
    async with page(cluster, actions=True) as (client, site):
        await act(client, site, "approve", uid=uid(cluster))
        annotations = cluster.wrote[0][2]["metadata"]["annotations"]
        assert annotations == {"execloop.dev/approve": "d1", "execloop.dev/approved-by": "ann"}


@pytest.mark.parametrize("changed", [{"pending": {**PENDING, "digest": "d2"}}, {"pending": None}])
@in_event_loop
async def test_tasks_that_changed_meanwhile_are_not_approved(changed: Object) -> None:
    cluster = cluster_of()
    async with page(cluster, actions=True) as (client, site):
        cluster.state("a", "keys", **changed)
        status, text = await act(client, site, "approve", uid=uid(cluster))
        assert status == 409
        assert "Other tasks wait now" in text
        assert cluster.wrote == []


@in_event_loop
async def test_a_plan_that_was_made_anew_is_not_acted_on() -> None:
    cluster = cluster_of()
    async with page(cluster, actions=True) as (client, site):
        status, text = await act(client, site, "reconcile", uid="an-earlier-one")
        assert status == 409
        assert "Another Plan has this name now" in text
        assert cluster.wrote == []


class TestSuspend:
    @in_event_loop
    async def test_it_says_why_who_and_until_when(self) -> None:
        cluster = cluster_of()
        async with page(cluster, actions=True) as (client, site):
            await act(client, site, "suspend", "editor", uid=uid(cluster), reason="the database moves", length="2h")
            body = cluster.wrote[0][2]
            said = body["metadata"]["annotations"]
            assert body["spec"] == {"suspend": True}
            assert (said["execloop.dev/suspend-reason"], said["execloop.dev/suspend-by"]) == (
                "the database moves",
                "ed",
            )
            left = datetime.fromisoformat(said["execloop.dev/suspend-until"]) - datetime.now(UTC)
            assert timedelta(hours=1, minutes=59) < left <= timedelta(hours=2)

    @pytest.mark.parametrize("length", ["soon", "-1h", "9" * 30 + "h"])
    @in_event_loop
    async def test_a_length_that_is_none_is_refused_with_the_form(self, length: str) -> None:
        cluster = cluster_of()
        async with page(cluster, actions=True) as (client, site):
            status, text = await act(client, site, "suspend", uid=uid(cluster), length=length)
            assert status == 409
            assert "Write it as 30m, 2h or 48h" in text
            assert cluster.wrote == []


class TestOffers:
    @pytest.mark.parametrize(
        ("token", "offered"),
        [
            ("viewer", set()),
            ("editor", {"reconcile", "suspend"}),
            ("approver", {"reconcile", "suspend", "approve"}),
        ],
    )
    @in_event_loop
    async def test_only_what_the_person_may_do_is_offered(self, token: str, offered: set[str]) -> None:
        async with (
            page(cluster_of(), actions=True) as (client, _),
            client.get("/plans/a/keys", headers=bearer(token)) as answer,
        ):
            text = await answer.text()
            assert {action for action in ACTIONS if f'action="/plans/a/keys/{action}"' in text} == offered
            assert ("needs the verb" in text) is (token != "approver")
            assert "key k-1" in text

    @in_event_loop
    async def test_a_suspended_plan_can_be_resumed_and_nothing_else(self) -> None:
        cluster = cluster_of()
        cluster.put("a", "held", suspend=True)
        async with (
            page(cluster, actions=True) as (client, _),
            client.get("/plans/a/held", headers=bearer("approver")) as answer,
        ):
            text = await answer.text()
            assert [action for action in ACTIONS if f'action="/plans/a/held/{action}"' in text] == ["resume"]
