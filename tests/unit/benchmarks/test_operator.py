"""The operator beside others: what counts as its write, and the page about a restart."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from benchmarks.operator.probes import Probes
from benchmarks.operator.report import Sitting, as_markdown, as_svg
from benchmarks.operator.restart import Restart
from benchmarks.operator.server import plan_writes

RESTARTS = [Restart(1.5, 1.25, 0), Restart(1.25, 1.0, 0), Restart(4.0, 3.0, 12)]


def sitting(restarts: list[Restart]) -> Sitting:
    found = {"execloop": restarts} if restarts else {}
    return Sitting("2 cores", 0.1, 1_000, rounds=3, idle_seconds=30.0, restarts=found)


@pytest.mark.parametrize(
    ("request_of", "counts"),
    [
        (("PATCH", "plans/status"), True),
        (("PUT", "plans/status"), True),
        (("APPLY", "plans"), True),
        (("POST", "plans"), False),  # the benchmark creates the Plans
        (("GET", "plans"), False),
        (("PATCH", "configmaps"), False),
    ],
)
def test_a_write_of_an_operator_is_one_of_a_plan_or_its_status(request_of: tuple[str, str], counts: bool) -> None:
    assert plan_writes({request_of: 3}) == (3 if counts else 0)


class Prompt:
    """A server on which each Plan becomes Ready some seconds after its creation, the later, the sooner."""

    def __init__(self) -> None:
        self.created = asyncio.Queue[str]()

    async def create(self, name: str, *_: Any) -> None:
        self.created.put_nowait(name)

    async def ready(self, *_: Any) -> AsyncGenerator[tuple[str, float]]:
        first, second = await self.created.get(), await self.created.get()
        yield first, 1e9 + 7.0
        yield second, 1e9 + 5.0


def test_the_first_new_plan_is_the_one_that_is_ready_first_whichever_was_created_first() -> None:
    async def main() -> float:
        probes = Probes(Prompt(), "new")  # type: ignore[arg-type]  # the two requests that it sends
        creation = asyncio.create_task(probes.create(1000.0))
        await probes.watch("1")
        creation.cancel()
        return await probes.first_ready()

    assert asyncio.run(main()) == pytest.approx(1e9 + 5.0)


def test_the_page_shows_the_median_of_the_restarts() -> None:
    page = as_markdown(sitting(RESTARTS))
    assert "## After a restart" in page
    assert "| execloop | 1.50 s | 1.25 s | 0 |\n" in page


def test_the_picture_shows_when_the_first_new_plan_is_ready() -> None:
    assert ">1.5 s<" in as_svg(sitting(RESTARTS))


def test_without_a_restart_the_page_has_no_such_section() -> None:
    assert "After a restart" not in as_markdown(sitting([]))
