"""Which of the operator's lines are about a Plan."""

import json
from typing import Any

import pytest
from aiohttp import web

from execloop.cli.cluster.look.logs import _print, line_of, queries
from execloop.cli.cluster.session import Session
from execloop.kube import Cluster, Connection, Kube
from execloop.kube.config.credentials import StaticCredentials
from tests.asynchronous import in_event_loop
from tests.unit.kube.test_connection import serving


def record(plan: str, **more: str) -> str:
    return json.dumps({"time": "12:00", "level": "info", "logger": "x", "message": "3 nodes", "plan": plan, **more})


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (record("shop/orders"), "12:00 INFO    3 nodes"),
        (record("shop/orders", exception="Traceback\nOSError"), "12:00 INFO    3 nodes\n  Traceback\n  OSError"),
        (record("shop/orders-2"), None),
        ("12:00:00 INFO    [shop/orders] 3 nodes", "12:00:00 INFO    [shop/orders] 3 nodes"),
        ("12:00:00 INFO    [shop/orders-2] 3 nodes", None),
        ("{ not JSON", None),
        ('{"plan": 3}', None),
        ("", None),
    ],
)
def test_only_lines_about_the_plan_are_shown(line: str, shown: str | None) -> None:
    assert line_of(line, "shop/orders") == shown


@pytest.mark.parametrize(
    ("follow", "since", "query"),
    [(False, None, {}), (True, 0.2, {"follow": "true", "sinceSeconds": "1"}), (False, 600.0, {"sinceSeconds": "600"})],
)
def test_what_is_asked_of_a_pod(follow: bool, since: float | None, query: dict[str, str]) -> None:
    assert queries(follow=follow, since=since) == query


@in_event_loop
async def test_the_container_of_the_operator_is_read_and_a_pod_that_cannot_be_read_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if "gone" in request.path:
            return web.json_response({"message": "container is creating"}, status=400)
        assert request.query == {"container": "operator"}
        return web.Response(text=f"{record('shop/orders')}\n{record('shop/other')}\n")

    def pod(name: str) -> dict[str, Any]:
        containers = [{"name": "sidecar"}, {"name": "operator"}]
        return {"metadata": {"name": name, "namespace": "home"}, "spec": {"containers": containers}}

    async with serving(handler) as server:
        session = Session(Kube(Connection(Cluster(server, StaticCredentials()))), "shop")
        for name in ("here", "gone"):
            await _print(session, pod(name), "shop/orders", {})
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("12:00 INFO    3 nodes\n", "gone: container is creating\n")
