"""What the page answers, to whom."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from yarl import URL

from execloop.page.server import application, build
from execloop.page.settings import PageSettings
from execloop.page.views.guard import HEADERS
from tests.asynchronous import in_event_loop
from tests.page_cluster import PageCluster, User, bearer, page, reader

Client = TestClient[web.Request, web.Application]

HERE = {"Sec-Fetch-Site": "same-origin"}
READY = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
HOSTILE = "<img src=x onerror=alert(1)> \"'& {{ 7*7 }} \ud800 \u202e"


def two_people() -> PageCluster:
    cluster = PageCluster(
        {"ann-token": reader("ann", "a"), "bob-token": reader("bob", "b"), "root": User("r", {("*", "*")})}
    )
    cluster.put("a", "one", status={"state": "Stalled", "conditions": [{**READY, "reason": "FatalError"}]})
    cluster.put("b", "two", status={"state": "Converged"})
    return cluster


async def text(client: Client, path: str, token: str = "root", status: int = 200) -> str:
    async with client.get(path, headers=bearer(token), allow_redirects=False) as answer:
        assert answer.status == status, await answer.text()
        return await answer.text()


TABS = ["", "/objects", "/history", "/events", "/yaml"]
READ = ["/", "/?namespace=a&q=b%26c", *(f"/plans/a/one{tab}" for tab in TABS), "/live", "/live/plans/a/one/overview"]


class TestStrangers:
    @pytest.mark.parametrize("path", READ)
    @pytest.mark.parametrize("headers", [{}, bearer("unknown"), {"Authorization": "Basic abc"}, {"Cookie": "a=b"}])
    @in_event_loop
    async def test_see_nothing_and_are_led_to_the_form(self, path: str, headers: dict[str, str]) -> None:
        async with (
            page(two_people()) as (client, _),
            client.get(path, headers=headers, allow_redirects=False) as answer,
        ):
            assert answer.status == 303
            assert URL(answer.headers["Location"]).query["next"] == path
            assert "one" not in await answer.text()

    @in_event_loop
    async def test_scripts_get_401(self) -> None:
        async with page(two_people()) as (client, _), client.get("/live", headers={"HX-Request": "true"}) as answer:
            assert answer.status == 401

    @in_event_loop
    async def test_can_load_what_the_form_needs_and_no_other_file(self) -> None:
        async with page(two_people()) as (client, site):
            for name, asset in site.presentation.assets.items():
                async with client.get(f"/static/{name}?v={asset.digest}") as answer:
                    assert answer.status == 200
                    assert "immutable" in answer.headers["Cache-Control"]
            for name in ("../server.py", "%2e%2e%2fserver.py", "nothing.css"):
                async with client.get(f"/static/{name}") as answer:
                    assert answer.status == 404


class TestReads:
    @in_event_loop
    async def test_a_list_shows_counts_and_names_of_ones_own_namespaces_only(self) -> None:
        async with page(two_people()) as (client, _):
            seen = await text(client, "/", "ann-token")
            assert "/plans/a/one" in seen
            assert "two" not in seen
            assert "All <b>1</b>" in seen
            assert "Converged" not in seen.partition("</svg>")[2].partition("<dialog")[0]

    @pytest.mark.parametrize("tab", TABS)
    @in_event_loop
    async def test_a_plan_that_one_may_not_get_is_refused_on_each_tab(self, tab: str) -> None:
        async with page(two_people()) as (client, _):
            await text(client, f"/plans/a/one{tab}", "ann-token")
            refused = await text(client, f"/plans/a/one{tab}", "bob-token", 403)
            assert "cannot get plans in a" in refused
            assert "FatalError" not in refused

    @pytest.mark.parametrize("tab", TABS)
    @in_event_loop
    async def test_a_plan_that_does_not_exist_is_not_found(self, tab: str) -> None:
        async with page(two_people()) as (client, _):
            assert "there is no Plan a/none" in await text(client, f"/plans/a/none{tab}", status=404)

    @pytest.mark.parametrize("path", ["/nothing", "/plans/a/one/nothing", "/plans/a"])
    @in_event_loop
    async def test_other_addresses_are_no_page(self, path: str) -> None:
        async with page(two_people()) as (client, _):
            assert "There is no such page" in await text(client, path, status=404)

    @in_event_loop
    async def test_a_dependency_that_one_may_not_read_is_named_and_not_shown(self) -> None:
        cluster = two_people()
        waits = {**READY, "reason": "DependencyNotReady", "message": "Plan a/one is not ready"}
        cluster.put("b", "three", status={"conditions": [waits]}, dependsOn=[{"name": "one", "namespace": "a"}])
        async with page(cluster) as (client, _):
            assert "a fatal error" in await text(client, "/plans/b/three")
            seen = await text(client, "/plans/b/three", "bob-token")
            assert "a fatal error" not in seen
            assert "a/one" in seen

    @in_event_loop
    async def test_when_the_api_server_does_not_answer_the_page_says_so(self) -> None:
        cluster = two_people()
        async with page(cluster) as (client, _):
            cluster.go_away()
            assert "cannot find out who you are" in await text(client, "/", status=503)


class TestHostilePlans:
    @pytest.mark.parametrize("tab", TABS)
    @in_event_loop
    async def test_nothing_of_a_plan_becomes_markup(self, tab: str) -> None:
        cluster = PageCluster({"root": User(HOSTILE, {("*", "*")})})
        condition = {
            "type": HOSTILE,
            "status": HOSTILE,
            "reason": HOSTILE,
            "message": HOSTILE,
            "lastTransitionTime": HOSTILE,
        }
        entry = dict.fromkeys(("id", "result", "message", "approvedBy", "generation"), HOSTILE)
        status: dict[str, Any] = {
            "state": HOSTILE,
            "progress": HOSTILE,
            "errors": HOSTILE,
            "conditions": [condition, {**condition, "type": "Ready"}],
            "execution": {**entry, "lastError": HOSTILE, "finishedAt": HOSTILE, "runs": 2, "approval": {"by": HOSTILE}},
            "pending": {"digest": HOSTILE, "count": 1, "tasks": [HOSTILE]},
            "preview": {"tasks": [{"name": HOSTILE, "detail": HOSTILE}], "error": HOSTILE},
            "history": [{**entry, "id": number} for number in range(2)],
            "inventory": [{"apiVersion": "v1", "kind": HOSTILE, "name": HOSTILE}, HOSTILE],
        }
        cluster.put("a", "bad", status=status, plan=HOSTILE)
        async with page(cluster) as (client, _):
            for path in (
                "/",
                f"/plans/a/bad{tab}",
                f"/?q={HOSTILE[:8]}&namespace={HOSTILE[:8]}&plan=<b>&state=<b>&page=x",
            ):
                seen = await text(client, path)
                assert "<img" not in seen
                assert "49" not in seen.replace("&#39;", "").replace("&#34;", "").partition("<main")[2]

    @pytest.mark.parametrize(
        "broken", [{}, {"status": "text"}, {"spec": None}, {"spec": [], "status": {"conditions": 1}}]
    )
    @in_event_loop
    async def test_one_that_no_schema_allows_costs_the_others_nothing(self, broken: dict[str, Any]) -> None:
        cluster = two_people()
        path = next(path for path in cluster.objects if path.endswith("/one"))
        cluster.objects[path] = {"metadata": cluster.objects[path]["metadata"], **broken}
        async with page(cluster) as (client, _):
            assert "/plans/b/two" in await text(client, "/")


class TestHeaders:
    @pytest.mark.parametrize(
        ("path", "status"), [("/", 200), ("/nothing", 404), ("/login", 303), ("/plans/a/none", 404)]
    )
    @in_event_loop
    async def test_every_answer_forbids_what_the_page_does_not_do(self, path: str, status: int) -> None:
        sent = bearer("root")
        async with page(two_people()) as (client, _), client.get(path, headers=sent, allow_redirects=False) as answer:
            assert answer.status == status
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS

    def test_the_policy_allows_no_inline_code_and_nothing_from_elsewhere(self) -> None:
        policy = HEADERS["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy

    @pytest.mark.parametrize("path", ["/", "/login", "/plans/a/one", "/plans/a/one/history"])
    @in_event_loop
    async def test_no_page_has_inline_code_or_an_address_elsewhere(self, path: str) -> None:
        async with page(two_people()) as (client, _):
            seen = await text(client, path, "" if path == "/login" else "root")
            assert "<script>" not in seen
            assert " style=" not in seen
            assert " on" not in "".join(part.partition(">")[0] for part in seen.split("<")).replace(" one", "")
            assert "http://" not in seen
            assert "https://" not in seen


class TestSigningIn:
    @staticmethod
    async def sign_in(client: Client, token: str, host: str = "", **form: str) -> tuple[int, str, str]:
        headers = {**HERE, **({"Host": host} if host else {})}
        async with client.post(
            "/login", data={"token": token, **form}, headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, answer.headers.get("Set-Cookie", ""), answer.headers.get("Location", "")

    @in_event_loop
    async def test_a_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(self) -> None:
        async with page(two_people()) as (client, _):
            status, cookie, location = await self.sign_in(client, "ann-token", next="/plans/a/one")
            assert (status, location) == (303, "/plans/a/one")
            assert cookie.startswith("execloop-session=")
            assert "; HttpOnly; SameSite=Strict" in cookie
            value = cookie.partition(";")[0]
            async with client.get("/", headers={"Cookie": value}) as answer:
                assert "/plans/a/one" in await answer.text()

    @in_event_loop
    async def test_where_it_is_not_this_machine_the_cookie_needs_https(self) -> None:
        async with page(two_people()) as (client, _):
            _, cookie, _ = await self.sign_in(client, "ann-token", host="page.example.com")
            assert cookie.startswith("__Host-execloop-session=")
            assert cookie.endswith("; Secure")

    @in_event_loop
    async def test_a_token_that_is_not_accepted_gets_no_cookie(self) -> None:
        async with page(two_people()) as (client, _):
            assert await self.sign_in(client, "unknown") == (401, "", "")

    @in_event_loop
    async def test_a_token_that_no_browser_would_keep_is_refused_with_the_way_out(self) -> None:
        cluster = two_people()
        cluster.users["x" * 5000] = reader("ann", "a")
        async with page(cluster) as (client, _):
            headers = {**HERE}
            async with client.post("/login", data={"token": "x" * 5000}, headers=headers) as answer:
                assert answer.status == 401
                assert "Authorization header" in await answer.text()

    @pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
    @pytest.mark.parametrize("path", ["/login", "/logout"])
    @in_event_loop
    async def test_another_site_signs_no_person_in_or_out(self, path: str, headers: dict[str, str]) -> None:
        async with page(two_people()) as (client, _):
            sent = {**headers, **bearer("ann-token")}
            async with client.post(path, data={"token": "ann-token"}, headers=sent, allow_redirects=False) as answer:
                assert answer.status == 403
                assert "Set-Cookie" not in answer.headers

    @in_event_loop
    async def test_signing_out_takes_the_cookie_away(self) -> None:
        async with page(two_people()) as (client, site):
            sent, form = {**HERE, **bearer("ann-token")}, {"form_token": site.sessions.form_token("ann")}
            async with client.post("/logout", data=form, headers=sent, allow_redirects=False) as answer:
                assert "Max-Age=0" in answer.headers["Set-Cookie"]

    @in_event_loop
    async def test_a_forged_cookie_is_a_stranger(self) -> None:
        async with page(two_people()) as (client, site):
            cookie = site.sessions.cookie("ann-token").replace("ann-token", "bob-token")
            async with client.get(
                "/", headers={"Cookie": f"execloop-session={cookie}"}, allow_redirects=False
            ) as answer:
                assert answer.status == 303


class TestLive:
    @staticmethod
    async def events(client: Client, path: str, until: Callable[[str], bool], token: str = "root") -> str:
        """What a stream sends until it has sent something."""
        found = ""
        async with client.get(path, headers=bearer(token)) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            async with asyncio.timeout(30):
                async for chunk in answer.content.iter_any():
                    found += chunk.decode()
                    if until(found):
                        return found
        return found

    @pytest.mark.parametrize("path", ["/live", "/live/plans/b/two/overview"])
    @in_event_loop
    async def test_a_change_is_sent_and_what_one_may_not_see_is_not(self, path: str) -> None:
        cluster = two_people()
        async with page(cluster) as (client, _):

            def changed(found: str) -> bool:
                if "\n\n" in found:
                    cluster.state("b", "two", state="Stalled")
                return 'data-state="Stalled"' in found

            found = await self.events(client, path, changed, "bob-token")
            assert "a/one" not in found

    @in_event_loop
    async def test_a_stream_ends_when_the_token_does(self) -> None:
        cluster = two_people()
        async with page(cluster) as (client, site):
            async with client.get("/live", headers=bearer("bob-token")) as answer:
                await answer.content.readuntil(b"\n\n")
                del cluster.users["bob-token"]
                site.identities._known.clear()
                cluster.state("b", "two", state="Stalled")
                assert b"Stalled" not in await answer.content.read()
            assert site.viewers.open == 0

    @in_event_loop
    async def test_too_many_streams_are_asked_to_come_back(self) -> None:
        async with page(two_people()) as (client, site):
            site.viewers.open = 200
            async with client.get("/live", headers=bearer("root")) as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (503, "10")


def test_an_application_has_no_route_that_writes_but_signing_in_and_out_unless_actions_are_on() -> None:
    async def routes() -> set[str]:
        app = application(build(PageCluster({}).connection, (), PageSettings(0)))
        return {route.resource.canonical for route in app.router.routes() if route.method == "POST" and route.resource}

    assert asyncio.run(routes()) == {"/login", "/logout"}
