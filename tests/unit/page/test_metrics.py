"""What the page counts, and that it counts no names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest

from tests.asynchronous import in_event_loop
from tests.page_cluster import PageCluster, bearer, page, reader

if TYPE_CHECKING:
    from pathlib import Path

    from execloop.page.site import Site

HERE = {"Sec-Fetch-Site": "same-origin"}


def count(site: Site, name: str, **labels: str) -> float | None:
    return site.metrics.registry.get_sample_value(f"execloop_page_{name}", labels)


def ann() -> PageCluster:
    cluster = PageCluster({"ann-token": reader("ann", "a")})
    cluster.put("a", "one")
    cluster.put("b", "two")
    return cluster


@pytest.mark.parametrize(
    ("method", "path", "headers", "data", "reason"),
    [
        ("GET", "/", {}, None, "unknown"),
        ("POST", "/login", {}, {"token": "ann-token"}, "origin"),
        ("POST", "/login", HERE, {"token": "guess"}, "token"),
        ("POST", "/logout", {**HERE, **bearer("ann-token")}, {"form_token": "old"}, "form"),
        ("GET", "/plans/b/two", bearer("ann-token"), None, "rights"),
        ("GET", "/", {"X-Remote-User": "ann"}, None, "proxy"),
    ],
)
@in_event_loop
async def test_a_request_that_is_refused_is_counted_with_the_reason(
    tmp_path: Path, method: str, path: str, headers: dict[str, str], data: dict[str, str] | None, reason: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s" * 32)
    async with page(ann(), impersonate=secret) as (client, site):
        assert count(site, "refused_total", reason=reason) == 0
        async with client.request(method, path, headers=headers, data=data, allow_redirects=False):
            pass
        assert count(site, "refused_total", reason=reason) == 1


@in_event_loop
async def test_requests_sessions_and_open_streams_are_counted_without_names() -> None:
    async with page(ann()) as (client, site):
        async with client.post("/login", data={"token": "ann-token"}, headers=HERE, allow_redirects=False):
            assert count(site, "sessions_total") == 1
        async with client.get("/live", headers=bearer("ann-token")) as stream:
            await stream.content.readuntil(b"\n\n")
            assert count(site, "streams") == 1
            assert count(site, "requests_total", code="200") == 1
        assert b"ann" not in generate_latest(site.metrics.registry)
