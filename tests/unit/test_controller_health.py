"""Probes: whether this process should be started again, and whether it knows the Plans."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from execloop.controller.health import Health
from execloop.controller.queue import WorkQueue
from execloop.controller.track import Key
from execloop.testing import FakeClock
from tests.asynchronous import in_event_loop

KEY = Key("team", "a")


@asynccontextmanager
async def watching(name: str = "watcher for plans.v1alpha1.execloop.dev@None") -> AsyncIterator[None]:
    task = asyncio.create_task(asyncio.Event().wait(), name=name)
    try:
        yield
    finally:
        task.cancel()


def probes(*, ready: bool = True, overdue: float = 0.0) -> Health:
    clock = FakeClock()
    queue = WorkQueue[Key](clock.monotonic)
    queue.add(KEY)
    clock.advance(overdue)
    health = Health(queue, "plans")
    if ready:
        health.ready.set()
    return health


class TestProblem:
    @pytest.mark.parametrize(
        "name", ["watcher for plans.v1alpha1.execloop.dev@None", "watcher for plans.v1alpha1.execloop.dev@team"]
    )
    @in_event_loop
    async def test_while_the_watch_lives_and_the_queue_moves_there_is_none(self, name: str) -> None:
        async with watching(name):
            assert probes(overdue=59).problem() == ""

    @in_event_loop
    async def test_a_watch_that_has_ended_is_one(self) -> None:
        async with watching("watcher for pods.v1@None"):
            assert probes().problem() == "the watch of Plans has ended"

    @in_event_loop
    async def test_a_queue_that_does_not_move_is_one(self) -> None:
        async with watching():
            assert probes(overdue=61).problem() == "the queue does not move"

    @in_event_loop
    async def test_before_the_plans_were_listed_there_is_none_that_a_restart_would_mend(self) -> None:
        assert probes(ready=False, overdue=61).problem() == ""


class TestServed:
    @pytest.mark.parametrize(
        ("path", "ready", "overdue", "status", "text"),
        [
            ("/healthz", True, 0, 200, "ok"),
            ("/healthz", True, 61, 503, "the queue does not move"),
            ("/healthz", False, 61, 200, "ok"),
            ("/readyz", True, 61, 200, "ok"),
            ("/readyz", False, 0, 503, "Plans are not listed yet"),
        ],
    )
    @in_event_loop
    async def test_a_probe_is_answered(self, path: str, ready: bool, overdue: float, status: int, text: str) -> None:
        port = free_port()
        async with watching(), probes(ready=ready, overdue=overdue).served(port):
            assert await asked(f"http://localhost:{port}{path}") == (status, text)

    @in_event_loop
    async def test_its_port_is_free_afterwards(self) -> None:
        port = free_port()
        for _ in range(2):
            async with probes().served(port):
                pass


async def asked(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])
