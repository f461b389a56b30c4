"""Who asks, as a proxy says: which proxy, and whom it may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from multidict import CIMultiDict, CIMultiDictProxy

from execloop.cli.operator import operator
from execloop.page.access.identity import Person
from execloop.page.access.proxy import Proxy, Refused
from tests.asynchronous import in_event_loop
from tests.page_cluster import PageCluster, User, page, reader

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp.test_utils import TestClient

KEY = "s" * 32
TRUSTED = ("X-Proxy-Secret", KEY)
ANN = [TRUSTED, ("X-Remote-User", "ann"), ("X-Remote-Group", "team, ops"), ("X-Remote-Group", "people")]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def named(*headers: tuple[str, str], prefix: str = "oidc:") -> Person | None:
    return Proxy(KEY.encode(), prefix, Clock()).person(CIMultiDictProxy(CIMultiDict(headers)))


def test_a_trusted_proxy_names_a_person_and_groups_and_each_name_has_the_prefix() -> None:
    groups = ("oidc:team", "oidc:ops", "oidc:people", "system:authenticated")
    assert named(*ANN) == Person("oidc:ann", groups=groups, impersonated=True)


def test_a_request_without_its_headers_is_not_the_proxys() -> None:
    assert named(("Authorization", "Bearer x")) is None


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Remote-User", "ann")],
        [("X-Remote-Group", "team")],
        [("X-Proxy-Secret", ""), ("X-Remote-User", "ann")],
        [("X-Proxy-Secret", KEY[:-1]), ("X-Remote-User", "ann")],
        [("X-Proxy-Secret", KEY + "s"), ("X-Remote-User", "ann")],
        [("X-Proxy-Secret", "\udcff" + KEY), ("X-Remote-User", "ann")],
        [TRUSTED, TRUSTED, ("X-Remote-User", "ann")],
        [("X-Proxy-Secret", "guess"), TRUSTED, ("X-Remote-User", "ann")],
    ],
)
def test_a_peer_that_is_not_the_proxy_is_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(Refused, match="does not come from the proxy"):
        named(*headers)


@pytest.mark.parametrize("user", ["", "a\rImpersonate-Group: system:masters", "a\x00", "x" * 300])
def test_a_name_that_no_user_has_is_refused(user: str) -> None:
    with pytest.raises(Refused):
        named(TRUSTED, ("X-Remote-User", user))


def test_two_users_in_one_request_are_refused() -> None:
    with pytest.raises(Refused, match="one user"):
        named(TRUSTED, ("X-Remote-User", "ann"), ("X-Remote-User", "root"))


def test_over_200_groups_are_refused() -> None:
    with pytest.raises(Refused, match="over 200"):
        named(TRUSTED, ("X-Remote-User", "ann"), ("X-Remote-Group", ",".join(f"g{n}" for n in range(201))))


@pytest.mark.parametrize("group", ["system:masters", "team,system:masters", "system:serviceaccounts"])
def test_without_a_prefix_a_group_of_kubernetes_is_refused(group: str) -> None:
    with pytest.raises(Refused, match="`system:`"):
        named(TRUSTED, ("X-Remote-User", "ann"), ("X-Remote-Group", group), prefix="")


@pytest.mark.parametrize(("prefix", "user"), [("", "system:admin"), ("system:", "admin"), ("sys", "tem:admin")])
def test_no_prefix_leads_to_a_user_of_kubernetes(prefix: str, user: str) -> None:
    with pytest.raises(Refused, match="`system:`"):
        named(TRUSTED, ("X-Remote-User", user), prefix=prefix)


def test_with_a_prefix_such_a_group_is_another_one() -> None:
    person = named(TRUSTED, ("X-Remote-User", "ann"), ("X-Remote-Group", "system:masters"))
    assert person is not None
    assert person.groups == ("oidc:system:masters", "system:authenticated")


def test_refusals_are_logged_once_a_minute_without_what_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    proxy = Proxy(KEY.encode(), "oidc:", clock)
    for clock.now in (0.0, 59.0, 60.0):
        with pytest.raises(Refused):
            proxy.person(CIMultiDictProxy(CIMultiDict([("X-Remote-User", "ann"), ("X-Proxy-Secret", "guess")])))
    assert len(caplog.records) == 2
    assert "guess" not in caplog.text
    assert "ann" not in caplog.text


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{KEY}\n")
    return file


async def answer(client: TestClient[Any, Any], path: str, *headers: tuple[str, str]) -> tuple[int, str]:
    async with client.get(path, headers=CIMultiDict(headers), allow_redirects=False) as found:
        return found.status, await found.text()


def cluster() -> PageCluster:
    found = PageCluster({"ann": reader("oidc:ann", "a"), "root": User("r", {("*", "*")})})
    found.put("a", "one")
    found.put("b", "two")
    return found


class TestOnThePage:
    @in_event_loop
    async def test_a_person_sees_what_their_own_rights_allow_by_impersonation(self, secret: Path) -> None:
        served = cluster()
        async with page(served, impersonate=secret) as (client, _):
            _, seen = await answer(client, "/", *ANN)
            assert "/plans/a/one" in seen
            assert "two" not in seen
            assert (await answer(client, "/plans/a/one", *ANN))[0] == 200
            assert (await answer(client, "/plans/b/two", *ANN))[0] == 403
        assert set(served.impersonations) == {("oidc:ann", "oidc:team", "oidc:ops", "oidc:people")}

    @in_event_loop
    async def test_a_person_without_rights_sees_nothing(self, secret: Path) -> None:
        async with page(cluster(), impersonate=secret) as (client, _):
            status, seen = await answer(client, "/", TRUSTED, ("X-Remote-User", "eve"))
            assert status == 200
            assert "No Plans to see" in seen

    @pytest.mark.parametrize("path", ["/", "/live", "/login", "/plans/a/one"])
    @in_event_loop
    async def test_headers_of_another_peer_are_refused_even_beside_a_token(self, path: str, secret: Path) -> None:
        async with page(cluster(), impersonate=secret) as (client, _):
            status, seen = await answer(client, path, ("X-Remote-User", "ann"), ("Authorization", "Bearer root"))
            assert status == 403
            assert "does not come from the proxy" in seen

    @in_event_loop
    async def test_by_default_the_headers_mean_nothing(self) -> None:
        served = cluster()
        async with page(served) as (client, _):
            assert (await answer(client, "/", *ANN))[0] == 303
            assert "/plans/b/two" in (await answer(client, "/", *ANN, ("Authorization", "Bearer root")))[1]
        assert served.impersonations == []

    @in_event_loop
    async def test_a_token_still_counts_without_the_proxy(self, secret: Path) -> None:
        async with page(cluster(), impersonate=secret) as (client, _):
            assert "/plans/b/two" in (await answer(client, "/", ("Authorization", "Bearer root")))[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--page-impersonate", "x"], "--page-impersonate needs --page"),
        (["--page", ":1", "--page-impersonate-prefix", "x"], "needs --page-impersonate"),
    ],
)
def test_the_command_says_what_is_wrong_in_a_line(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(operator, arguments)
    assert done.exit_code != 0
    assert message in done.output
