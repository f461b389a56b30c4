import asyncio
from typing import Any

import pytest

from execloop.kube import ApiError, Resource
from execloop.kube.http.discovery import Discovery
from tests.asynchronous import in_event_loop


class Server:
    """Serves what is put into `kinds`, and counts what it is asked."""

    def __init__(self, **kinds: list[str]) -> None:
        self.kinds: dict[str, list[str]] = kinds
        self.asked: list[str] = []
        self.now = 0.0
        self.discovery = Discovery(self.request, clock=lambda: self.now)

    async def request(self, method: str, path: str, *, accept: str = "") -> dict[str, Any]:
        self.asked.append(f"{method} {path}")
        if "APIGroupDiscoveryList" in accept:
            return {"items": [self._group(version, kinds) for version, kinds in self.kinds.items()]}
        version = path.rpartition("/")[2]
        if version not in self.kinds:
            raise ApiError(404, "NotFound", "")
        names = [{"kind": kind, "name": f"{kind.lower()}s", "namespaced": True} for kind in self.kinds[version]]
        return {"resources": [*names, *({**name, "name": f"{name['name']}/status", "kind": "Scale"} for name in names)]}

    @staticmethod
    def _group(version: str, kinds: list[str]) -> dict[str, Any]:
        resources = [
            {"responseKind": {"kind": kind}, "resource": f"{kind.lower()}s", "scope": "Namespaced"} for kind in kinds
        ]
        return {"metadata": {"name": ""}, "versions": [{"version": version, "resources": resources}]}


@in_event_loop
async def test_a_group_is_asked_for_once() -> None:
    server = Server(v1=["Pod", "Secret"])
    assert await server.discovery.find("v1", "Pod") == Resource("v1", "Pod", "pods", namespaced=True)
    assert await server.discovery.find("v1", "Secret") == Resource("v1", "Secret", "secrets", namespaced=True)
    assert server.asked == ["GET /api/v1"]


@in_event_loop
async def test_a_kind_that_appears_is_found_within_a_second() -> None:
    server = Server(v1=[])
    with pytest.raises(ApiError, match="NoSuchKind"):
        await server.discovery.find("v1", "Pod")
    server.kinds["v1"] = ["Pod"]
    server.now = 1.0
    assert (await server.discovery.find("v1", "Pod")).plural == "pods"


@in_event_loop
async def test_a_missing_kind_is_not_asked_for_more_than_once_a_second() -> None:
    server = Server(v1=[])
    for _ in range(100):
        with pytest.raises(ApiError, match="NoSuchKind"):
            await server.discovery.find("v1", "Pod")
    assert server.asked.count("GET /api/v1") == 1


@in_event_loop
async def test_a_changed_definition_is_read_again_at_once() -> None:
    server = Server(v1=[])
    with pytest.raises(ApiError, match="NoSuchKind"):
        await server.discovery.find("v1", "Pod")
    server.kinds["v1"] = ["Pod"]
    server.discovery.forget()
    assert (await server.discovery.find("v1", "Pod")).plural == "pods"


@pytest.mark.parametrize(
    ("api_version", "kind", "message"),
    [
        ("v1", "Deployment", "the cluster serves no kind Deployment in v1, only in apps"),
        ("v1", "Secrets", "the cluster serves no kind Secrets in v1; it serves Secret"),
        ("v1", "Unheard", "the cluster serves no kind Unheard in v1"),
        ("v9", "Unheard", "the cluster serves no kind Unheard in v9"),
    ],
)
@in_event_loop
async def test_the_error_says_what_was_perhaps_meant(api_version: str, kind: str, message: str) -> None:
    server = Server(v1=["Pod", "Secret"], apps=["Deployment"])
    with pytest.raises(ApiError) as refused:
        await server.discovery.find(api_version, kind)
    assert (refused.value.status, refused.value.message) == (404, message)


@in_event_loop
async def test_subresources_are_no_kinds() -> None:
    with pytest.raises(ApiError, match="NoSuchKind"):
        await Server(v1=["Pod"]).discovery.find("v1", "Scale")


@in_event_loop
async def test_any_number_of_unknown_kinds_costs_one_look_every_five_seconds() -> None:
    server = Server(v1=["Pod"])

    async def unknown(number: int) -> None:
        with pytest.raises(ApiError, match=r"the cluster serves no kind Kind0 in made\.up/v1"):
            await server.discovery.look_up("made.up/v1", "Kind0")

    await asyncio.gather(*map(unknown, range(1000)))
    assert server.asked == ["GET /api", "GET /apis"]
    assert (await server.discovery.look_up("v1", "Pod")) == Resource("v1", "Pod", "pods", namespaced=True)
    assert len(server.asked) == 2
    server.kinds["made.up/v1"] = ["Kind0"]
    server.now = 5.0
    assert (await server.discovery.look_up("made.up/v1", "Kind0")).plural == "kind0s"


@in_event_loop
async def test_a_kind_whose_definition_was_just_applied_is_looked_up_at_once() -> None:
    server = Server(v1=["Pod"])
    with pytest.raises(ApiError, match="NoSuchKind"):
        await server.discovery.look_up("v1", "Secret")
    server.kinds["v1"] = ["Pod", "Secret"]
    server.discovery.forget()
    assert (await server.discovery.look_up("v1", "Secret")).plural == "secrets"
