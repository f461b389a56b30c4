"""What a network, a proxy or an API server does to the operator's watch: it goes on, and asks with restraint."""

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cluster import Cluster
from tests.faults.proxy import (
    Fault,
    Matches,
    Proxy,
    answer,
    cut_after,
    failure,
    lists_plans,
    reset,
    watch_error,
    watches_plans,
)
from tests.integration.operating import Plans, manifest
from tests.integration.trust.conftest import Site, running

HTML = "<html><body>please log in</body></html>"
LISTS: dict[str, Fault] = {
    "cut": cut_after(40),
    "cut before its answer": reset(),
    "html": answer(200, HTML),
    "empty": answer(200, "", "application/json"),
    "null": answer(200, "null", "application/json"),
    "not found": failure(404, "NotFound"),
    "html not found": answer(404, HTML),
    "expired": failure(410, "Expired"),
    "forbidden": failure(403, "Forbidden"),
    "unauthorized": failure(401, "Unauthorized"),
    "busy": failure(429, "TooManyRequests", **{"Retry-After": "1"}),
    "broken": failure(500, "InternalError"),
    "bad gateway": answer(502, HTML),
}
WATCHES: dict[str, Fault] = {
    "cut before its answer": reset(),
    "html": answer(200, HTML),
    "empty": answer(200, "", "application/json"),
    "half a line": answer(200, '{"type": "ADDED", "obj', "application/json"),
    "a word": answer(200, "null\n", "application/json"),
    "not found": failure(404, "NotFound"),
    "forbidden": failure(403, "Forbidden"),
    "unauthorized": failure(401, "Unauthorized"),
    "busy": failure(429, "TooManyRequests", **{"Retry-After": "1"}),
    "bad gateway": answer(502, HTML),
    "event 410": watch_error(410, "Expired"),
    "event 500": watch_error(500, "InternalError"),
    "event 504": watch_error(504, "Timeout"),
}


LASTING = ("not found", "html", "event 500", "cut before its answer")


class Stream:
    """The watch of one namespace, with a fault of its own; the operator has one for each."""

    def __init__(self, cluster: Cluster, site: Site, proxy: Proxy, namespace: str) -> None:
        self.site, self.proxy, self.namespace = site, proxy, namespace
        self.plans = Plans(cluster, namespace)

    def of(self, matches: Matches) -> Matches:
        return lambda asked: matches(asked) and f"/namespaces/{self.namespace}/" in asked.path

    def marks(self, name: str) -> list[str]:
        file = self.site.world / f"{self.namespace}-{name}"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(scope="module")
def operator_of_many(
    cluster: Cluster, crd: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Proxy, Iterator[str]]]:
    folder, word = tmp_path_factory.mktemp("streams"), secrets.token_hex(4)
    namespaces = [f"stream-{word}-{number}" for number in range(len(LISTS) + len(WATCHES) + len(LASTING) + 1)]
    with (
        Proxy.before(cluster, folder) as proxy,
        running(cluster, folder, namespaces=namespaces, kubeconfig=proxy.kubeconfig) as site,
    ):
        site.plans.until(lambda: proxy.under_way(watches_plans) == len(namespaces), "it watches them all", 60)
        yield site, proxy, iter(namespaces)


@pytest.fixture
def stream(cluster: Cluster, operator_of_many: tuple[Site, Proxy, Iterator[str]]) -> Stream:
    """One that had no fault yet: after several its next try comes late."""
    site, proxy, namespaces = operator_of_many
    if not site.alive():
        site.operator.start()
    return Stream(cluster, site, proxy, next(namespaces))


def goes_on(stream: Stream, matches: Matches, fault: Fault) -> None:
    site, proxy = stream.site, stream.proxy
    process, said = site.operator.process.pid, len(site.operator.said())
    with ExitStack() as stack:
        if matches is lists_plans:  # a list comes only after a watch that is too old
            expired = watch_error(410, "Expired")
            stack.enter_context(proxy.failing(stream.of(watches_plans), expired, times=1))
        met = stack.enter_context(proxy.failing(stream.of(matches), fault, times=1))
        proxy.cut(stream.of(watches_plans))
        stream.plans.until(lambda: met.hits == 1 or not site.alive(), "the operator meets the fault", 30)
    stream.plans.apply(manifest("a", "marks"))
    stream.plans.until(lambda: stream.plans.condition("a")[0] == "True" or not site.alive(), "it converges", 40)
    assert (site.alive(), site.operator.process.pid) == (True, process)
    assert "Traceback" not in site.operator.said()[said:]


@pytest.mark.parametrize("fault", LISTS)
def test_a_list_that_fails_is_asked_for_again(stream: Stream, fault: str) -> None:
    goes_on(stream, lists_plans, LISTS[fault])


@pytest.mark.parametrize("fault", WATCHES)
def test_a_watch_that_fails_is_begun_again(stream: Stream, fault: str) -> None:
    goes_on(stream, watches_plans, WATCHES[fault])


@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_lasts_is_met_with_few_requests(stream: Stream, fault: str) -> None:
    began, proxy = time.monotonic(), stream.proxy
    with (
        proxy.failing(stream.of(lists_plans), LISTS.get(fault, LISTS["broken"])),
        proxy.failing(stream.of(watches_plans), WATCHES[fault]),
    ):
        proxy.cut(stream.of(watches_plans))
        time.sleep(6)
        asked = proxy.count(stream.of(lambda a: lists_plans(a) or watches_plans(a)), since=began)
    assert stream.site.alive()
    assert 1 <= asked <= 12


def test_what_was_deleted_in_a_gap_is_known_to_be_gone(stream: Stream) -> None:
    """Else its timer would go on, and a task would run for a Plan that nobody has."""
    proxy, began = stream.proxy, time.monotonic()
    stream.plans.apply(manifest("gone", "gated", interval="1s"))
    stream.plans.wait("gone")
    with proxy.failing(stream.of(watches_plans), watch_error(410, "Expired"), times=1):
        with proxy.failing(stream.of(watches_plans), reset(), times=1):
            proxy.cut(stream.of(watches_plans))
            stream.plans.kubectl("delete", "plan", "gone")
        stream.plans.until(lambda: proxy.count(stream.of(lists_plans), since=began) > 0, "it lists anew", 40)
    stream.plans.apply(manifest("after", "marks"))
    stream.plans.wait("after")
    looks = len(stream.marks("gone"))
    time.sleep(3)
    assert len(stream.marks("gone")) == looks
