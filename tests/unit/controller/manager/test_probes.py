"""What the endpoints answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from execloop.controller.manager.probes import Probes, serve
from tests.asynchronous import in_event_loop


@asynccontextmanager
async def served(probes: Probes, registry: CollectorRegistry | None = None) -> AsyncIterator[str]:
    async with serve(probes, registry or CollectorRegistry(), 0, "127.0.0.1") as port:
        yield f"http://127.0.0.1:{port}"


async def asked(url: str, **headers: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers["Content-Type"]


class TestProbes:
    @pytest.mark.parametrize(("problem", "status", "text"), [("", 200, "ok\n"), ("it is stuck", 503, "it is stuck\n")])
    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    @in_event_loop
    async def test_a_problem_is_told_with_503(self, path: str, problem: str, status: int, text: str) -> None:
        probes = Probes()
        probes.unready = probes.unwell = lambda: problem
        async with served(probes) as server:
            assert (await asked(server + path))[:2] == (status, text)

    @in_event_loop
    async def test_a_process_that_starts_is_well_and_not_ready(self) -> None:
        async with served(Probes()) as server:
            assert (await asked(f"{server}/healthz"))[0] == 200
            assert (await asked(f"{server}/readyz"))[:2] == (503, "starting\n")

    @in_event_loop
    async def test_the_port_is_free_afterwards(self) -> None:
        async with serve(Probes(), CollectorRegistry(), 0, "127.0.0.1") as port:
            pass
        async with serve(Probes(), CollectorRegistry(), port, "127.0.0.1"):
            pass


class TestMetrics:
    @pytest.mark.parametrize(
        ("accepts", "content_type"),
        [
            ("*/*", "text/plain; version=0.0.4"),
            ("application/openmetrics-text;version=1.0.0", "application/openmetrics"),
        ],
    )
    @in_event_loop
    async def test_they_come_in_the_form_that_is_asked_for(self, accepts: str, content_type: str) -> None:
        Counter("things", "Things.", registry=(registry := CollectorRegistry())).inc()
        async with served(Probes(), registry) as server:
            status, text, found = await asked(f"{server}/metrics", Accept=accepts)
        assert (status, found.startswith(content_type)) == (200, True)
        assert "things_total 1.0\n" in text
