"""Plan code that misbehaves hurts its own Plan alone, and says so there."""

import time

import pytest

from tests.integration.operating import manifest
from tests.integration.trust.conftest import Site, Start

BACKOFF = {"initial": "100ms", "max": "300ms"}


def overlaps(marks: list[str]) -> list[str]:
    """The steps that began while an earlier call of the same step still ran."""
    open_steps: set[str] = set()
    found = []
    for line in marks:
        word, _, step = line.partition(" ")
        if word == "begin":
            if step in open_steps:
                found.append(step)
            open_steps.add(step)
        elif word == "end":
            open_steps.discard(step)
    return found


def intrusions(marks: list[str]) -> list[str]:
    """The lines of an earlier attempt at a step, written while a later one was under way."""
    latest: dict[str, str] = {}
    found = []
    for line in marks:
        word, _, step = line.partition(" ")
        name, _, attempt = step.partition("/")
        if word == "begin":
            latest[name] = attempt
        elif word == "end" and latest.get(name) == attempt:
            del latest[name]
        elif word == "end" and name in latest:
            found.append(line)
    return found


def at_once(marks: list[str]) -> int:
    """The most steps that ran at one moment."""
    most = running = 0
    for line in marks:
        running += line.startswith("begin ") - line.startswith("end ")
        most = max(most, running)
    return most


@pytest.mark.parametrize(
    "how", ["sync create", "nested loop", "async create", "panic create", "sync", "async", "panic", "async panic"]
)
def test_what_is_no_exception_is_an_error_of_its_plan(site: Site, how: str) -> None:
    name = f"escapes-{how.replace(' ', '-')}"
    plan = "escapes-async" if how == "async create" else "escapes"
    parameters = {} if how == "async create" else {"how": how}
    site.plans.apply(manifest(name, plan, parameters=parameters, errorsToTolerate=1, errorBackoff=BACKOFF))
    site.plans.wait(name, "Stalled", seconds=15)
    assert site.plans.condition(name)[1] in ("ErrorsExceeded", "FatalError")
    assert site.alive()
    assert "never retrieved" not in site.operator.said()


def test_of_async_plans_only_the_one_that_blocks_is_blamed_and_no_step_runs_twice_at_once(own: Start) -> None:
    """Also when a child task of its blocks, which has a name of its own."""
    site = own()
    neighbours = {
        "awaits": {"count": 60},
        "blocks": {"count": 20, "seconds": 0.7, "blocking": True},
        "lingers": {"count": 2, "seconds": 14, "blocking": True},
    }
    site.plans.apply(*(manifest(name, "async-steps", parameters=p) for name, p in neighbours.items()))
    site.plans.until(lambda: site.marks("awaits") != [], "its first step has begun")
    site.plans.apply(manifest("culprit", "gathers"))
    site.plans.wait("culprit", seconds=60)
    for name in neighbours:
        site.plans.wait(name, seconds=60)
    blamed = [line for line in site.operator.said().splitlines() if "blocks" in line and "event loop" in line]
    assert blamed
    assert all(f"{site.namespace}/culprit" in line for line in blamed)
    assert site.marks("culprit").count("begin block") == 1
    assert [overlaps(site.marks("blocks")), overlaps(site.marks("lingers")), intrusions(site.marks("awaits"))] == [
        []
    ] * 3


class TestThreads:
    def test_no_more_calls_run_at_once_than_there_may_be_threads(self, own: Start) -> None:
        site = own("--max-threads=6", "--workers=4")
        steps = {"count": 20, "seconds": 0.3, "blocking": True}
        names = {"wide-0": "async-steps", "wide-1": "blocking-steps", "wide-2": "blocking-steps"}
        for name in names:  # one file for all, to see what runs at one moment
            (site.world / f"{site.namespace}-{name}").symlink_to(site.world / "all")
        site.plans.apply(*(manifest(n, plan, parameters=steps, parallelism=20) for n, plan in names.items()))
        site.plans.until(lambda: any(line.startswith("begin") for line in site.marks("wide-0")), "they run")
        time.sleep(2)
        assert at_once(site.marks("wide-0")) <= 6

    @pytest.mark.parametrize("parallelism", [1, 3])
    @pytest.mark.parametrize("plan", ["blocking-steps", "async-steps"])
    def test_a_task_left_at_its_deadline_is_not_started_beside_itself(
        self, site: Site, parallelism: int, plan: str
    ) -> None:
        name = f"left-{parallelism}-{plan}"
        steps = {"count": 1, "seconds": 5, "blocking": True}
        site.plans.apply(manifest(name, plan, parameters=steps, parallelism=parallelism, executionTimeout="1s"))
        site.plans.wait(name, "Stalled")
        site.plans.annotate(name, requestedAt="again")
        site.until(name, "end 0")
        assert overlaps(site.marks(name)) == []
        assert site.marks(name).count("begin 0") == 1


class TestParameterModels:
    def test_one_that_blocks_holds_no_neighbour_up(self, site: Site) -> None:
        site.plans.apply(manifest("slow-model", "validates", parameters={"gate": "model"}))
        site.plans.until((site.world / "model-validates").exists, "it is validated")
        try:
            site.plans.apply(manifest("beside-model", "marks"))
            site.plans.wait("beside-model", seconds=10)
            assert site.endpoints.healthy() == "ok"
        finally:
            site.open("model")
        site.plans.wait("slow-model")

    def test_one_that_leaves_stalls_its_plan_alone(self, site: Site) -> None:
        site.plans.apply(manifest("leaving-model", "validates", parameters={"exits": True}))
        site.plans.apply(manifest("beside-leaving", "marks"))
        site.plans.wait("leaving-model", "Stalled", seconds=10)
        site.plans.wait("beside-leaving", seconds=10)
        assert site.alive()


class TestReturnedValues:
    @pytest.mark.parametrize("what", ["empty string", "empty mapping", "empty bytes"])
    def test_what_is_no_list_of_tasks_is_no_convergence(self, site: Site, what: str) -> None:
        name = f"returns-{what.replace(' ', '-')}"
        site.plans.apply(manifest(name, "returns", parameters={"what": what}))
        site.plans.wait(name, "Stalled", seconds=10)
        assert site.plans.condition(name) == ("False", "FatalError")

    def test_any_text_names_a_task(self, site: Site) -> None:
        site.plans.apply(manifest("odd-names", "odd-names"))
        site.plans.wait("odd-names", seconds=10)
        assert site.marks("odd-names") == ["done"]


@pytest.mark.parametrize("plan", ["to-thread", "child-process"])
def test_sigterm_ends_the_process_in_time_whatever_thread_plan_code_left(own: Start, plan: str) -> None:
    site = own()
    site.plans.apply(manifest("holds", plan))
    site.plans.until(lambda: site.marks("holds") != [], "it runs")
    site.operator.process.terminate()
    assert site.operator.process.wait(timeout=15) == 0
