"""The page in front of an API server in memory, with people, their tokens, and what each may do."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from aiohttp.test_utils import TestClient, TestServer

from execloop.page.server import application, build
from execloop.page.settings import PageSettings
from tests.api_server import Object, Place, refuse
from tests.fake_cluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from aiohttp import web

    from execloop.kube import Connection
    from execloop.page.runs.known import KnownRuns
    from execloop.page.site import Site

PLANS = "/apis/execloop.dev/v1alpha1/namespaces/{}/plans"
_VERBS = {"GET": "get", "PATCH": "patch"}


@dataclass
class User:
    """`may` has pairs of verb and namespace, in which `*` is every one."""

    name: str
    may: set[tuple[str, str]]
    audiences: tuple[str, ...] = ("api",)

    def can(self, verb: str, namespace: str) -> bool:
        return bool({(verb, namespace), (verb, "*"), ("*", namespace), ("*", "*")} & self.may)


def reader(name: str, *namespaces: str) -> User:
    return User(name, {(verb, one) for verb in ("get", "list") for one in namespaces})


class PageCluster(FakeCluster):
    """What the operator asks is answered; what a person asks with a token is answered as far as the person may."""

    def __init__(self, users: Mapping[str, User]) -> None:
        super().__init__()
        self.users = dict(users)
        self.reviews: list[Object] = []
        self.wrote: list[tuple[str, str, Object]] = []
        """Who wrote what where, through the page."""
        self.impersonations: list[tuple[str, ...]] = []
        """Users and their groups that the page impersonated."""

    async def request(self, method: str, path: str, *, body: object = None, **others: Any) -> Object:
        review = cast("Object", body or {})
        if path.endswith(("/tokenreviews", "/subjectaccessreviews")):
            self.reviews.append(review)
            await super().request("GET", "/api/v1")  # may fail as any request
            return {"status": self._judge(review)}
        return await super().request(method, path, body=body, **others)

    def _judge(self, review: Object) -> Object:
        spec = review["spec"]
        if review["kind"] == "TokenReview":
            user = self.users.get(spec["token"])
            wanted = spec.get("audiences", ["api"])
            if user is None or not set(wanted) & set(user.audiences):
                return {"authenticated": False}
            info = {"username": user.name, "groups": ["people"]}
            return {"authenticated": True, "user": info, "audiences": [a for a in wanted if a in user.audiences]}
        attributes = spec["resourceAttributes"]
        user = next((one for one in self.users.values() if one.name == spec["user"]), User("", set()))
        return {"allowed": user.can(attributes["verb"], attributes["namespace"] or "*")}

    def bearing(self, token: str) -> Connection:
        return cast("Connection", _AsPerson(self, token))

    def acting_as(self, user: str, groups: Iterable[str] = ()) -> Connection:
        self.impersonations.append((user, *groups))
        token = next((token for token, one in self.users.items() if one.name == user), "")
        return cast("Connection", _AsPerson(self, token))

    def put(self, namespace: str, name: str, *, status: Object | None = None, **spec: Any) -> Object:
        """Create a Plan with a status."""
        body = {"metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"plan": "p", **spec}}
        path = PLANS.format(namespace)
        self.answer("POST", path, {"apiVersion": "execloop.dev/v1alpha1", "kind": "Plan", **body})
        return self.state(namespace, name, **(status or {}))

    def state(self, namespace: str, name: str, **status: Any) -> Object:
        """Write a Plan's status."""
        return self.answer("PATCH", f"{PLANS.format(namespace)}/{name}/status", {"status": status})


@dataclass
class _AsPerson:
    """A connection that bears a token: the API server knows the person, and what it may do."""

    cluster: PageCluster
    token: str
    discovery: Any = field(init=False)

    def __post_init__(self) -> None:
        self.discovery = self.cluster.discovery

    async def request(self, method: str, path: str, *, body: object = None, **others: Any) -> Object:
        user = self.cluster.users.get(self.token)
        if user is None:
            refuse(401, "Unauthorized", "the token has expired")
        place = Place.of(path)
        if not user.can(_VERBS[method], place.namespace):
            refuse(403, "Forbidden", f'User "{user.name}" cannot {_VERBS[method]} {place.plural} in {place.namespace}')
        if method != "GET":
            self.cluster.wrote.append((user.name, path, cast("Object", body)))
        if place.plural == "events":
            return {"items": []}
        return await FakeCluster.request(self.cluster, method, path, body=body, **others)


@asynccontextmanager
async def page(
    cluster: PageCluster, runs: KnownRuns | None = None, **settings: Any
) -> AsyncIterator[tuple[TestClient[web.Request, web.Application], Site]]:
    """Serve the page of a cluster, once it has listed the Plans."""
    site = build(cluster.connection, (), PageSettings(0, **settings), runs=runs)
    async with TestClient(TestServer(application(site))) as client:
        watches = [asyncio.create_task(watch.run()) for watch in site.watches]
        if cluster.objects:
            await site.store.newer(0)
        try:
            yield client, site
        finally:
            for task in watches:
                task.cancel()
            await asyncio.gather(*watches, return_exceptions=True)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
