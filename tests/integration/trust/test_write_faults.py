"""What becomes of a status that the API server refuses, or whose answer is lost."""

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.faults.proxy import Matches, Proxy, answer, failure, late, lose_answer, reset, writes_status
from tests.integration.operating import manifest
from tests.integration.trust.conftest import Site, running

BACKOFF = {"initial": "100ms", "max": "300ms"}


@pytest.fixture(scope="module")
def ground(cluster: Cluster, crd: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Proxy]]:
    folder = tmp_path_factory.mktemp("writes")
    with Proxy.before(cluster, folder) as proxy, running(cluster, folder, kubeconfig=proxy.kubeconfig) as site:
        site.plans.until(lambda: site.endpoints.ready() == "ok", "the operator is ready", 60)
        yield site, proxy


def of(name: str) -> Matches:
    return lambda asked: writes_status(asked) and f"/plans/{name}/" in asked.path


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("lost", lose_answer()),
        ("reset", reset()),
        ("busy", failure(429, "TooManyRequests", **{"Retry-After": "1"})),
        ("broken", failure(500, "InternalError")),
        ("html", answer(200, "<html>")),
        ("conflict", failure(409, "Conflict")),
        ("not-found", failure(404, "NotFound")),
    ],
)
def test_a_write_that_fails_once_loses_no_error_and_does_nothing_twice(
    ground: tuple[Site, Proxy], what: str, fault: object
) -> None:
    site, proxy = ground
    name = f"write-{what}"
    with proxy.failing(of(name), fault, times=1) as met:  # type: ignore[arg-type]  # from a table of faults
        site.plans.apply(manifest(name, "marks", parameters={"fails": 1, "count": 2}, errorBackoff=BACKOFF))
        site.plans.wait(name, seconds=40)
    assert met.hits == 1
    assert site.plans.status(name)["execution"]["errors"] == 1
    assert sorted(mark for mark in site.marks(name) if not mark.startswith("try")) == ["0", "1"]


@pytest.mark.parametrize(("status", "reason"), [(422, "Invalid"), (403, "Forbidden"), (413, "RequestEntityTooLarge")])
def test_a_status_that_is_refused_for_ever_is_not_sent_without_pause(
    ground: tuple[Site, Proxy], status: int, reason: str
) -> None:
    site, proxy = ground
    name = f"refused-{status}"
    began = time.monotonic()
    with proxy.failing(of(name), failure(status, reason)):
        site.plans.apply(manifest(name, "marks"), manifest(f"{name}-beside", "marks"))
        site.plans.wait(f"{name}-beside", seconds=20)
        time.sleep(6)
        assert 1 <= proxy.count(of(name), since=began) <= 12
    assert site.alive()
    assert site.marks(name) == ["try 0", "0"]
    site.plans.wait(name, seconds=60)


def test_a_plan_edited_while_its_status_is_on_the_way_is_never_ready_for_the_edit(
    ground: tuple[Site, Proxy],
) -> None:
    site, proxy = ground
    with proxy.failing(of("on-the-way"), late(2), times=1) as met, site.watched("on-the-way") as states:
        site.plans.apply(manifest("on-the-way", "gated"))
        site.plans.until(lambda: met.hits == 1, "its status is on the way")
        site.plans.patch("on-the-way", parameters={"want": ["a", "b"], "work": "way-work"})
        site.until("on-the-way", "begin b")
        seen = states()
        site.open("way-work")
        site.plans.wait("on-the-way")
    assert [state for state in seen if (state.ready, state.observed) == ("True", "2")] == []
    assert site.marks("on-the-way").count("begin b") == 1


def test_descriptors_that_run_out_hurt_for_as_long_as_they_are_out(cluster: Cluster, crd: None, tmp_path: Path) -> None:
    with running(cluster, tmp_path) as site:
        site.plans.until(lambda: site.endpoints.ready() == "ok", "the operator is ready", 60)
        process = site.operator.process.pid
        before = resource.prlimit(process, resource.RLIMIT_NOFILE)
        held = len(list(Path(f"/proc/{process}/fd").iterdir()))
        resource.prlimit(process, resource.RLIMIT_NOFILE, (held, before[1]))
        site.plans.apply(*(manifest(f"p{number}", "blocking-steps", parameters={"count": 2}) for number in range(10)))
        time.sleep(5)
        resource.prlimit(process, resource.RLIMIT_NOFILE, before)
        site.plans.kubectl("wait", "--for=condition=Ready", "plan", "--all", "--timeout=20s")
        assert site.alive()
