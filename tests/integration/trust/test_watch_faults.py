"""What a network, a proxy or an API server does to the operator's watch: it goes on, and asks with restraint."""

import time
from contextlib import ExitStack

import pytest

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
from tests.integration.operating import manifest
from tests.integration.trust.conftest import Site

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


def name_of(prefix: str, fault: str) -> str:
    return f"{prefix}-{fault.replace(' ', '-')}"


def goes_on(site: Site, proxy: Proxy, name: str, matches: Matches, fault: Fault) -> None:
    process = site.operator.process.pid
    with ExitStack() as stack:
        if matches is lists_plans:  # a list comes only after a watch that is too old
            stack.enter_context(proxy.failing(watches_plans, watch_error(410, "Expired"), times=1))
        met = stack.enter_context(proxy.failing(matches, fault, times=1))
        proxy.cut(watches_plans)
        site.plans.until(lambda: met.hits == 1 or not site.alive(), "the operator meets the fault", 30)
    site.plans.apply(manifest(name, "marks"))
    site.plans.until(lambda: site.plans.condition(name)[0] == "True" or not site.alive(), "it converges", 20)
    assert (site.alive(), site.operator.process.pid) == (True, process)
    assert "Traceback" not in site.operator.said()


@pytest.mark.parametrize("fault", LISTS)
def test_a_list_that_fails_is_asked_for_again(proxied: Site, proxy: Proxy, fault: str) -> None:
    goes_on(proxied, proxy, name_of("list", fault), lists_plans, LISTS[fault])


@pytest.mark.parametrize("fault", WATCHES)
def test_a_watch_that_fails_is_begun_again(proxied: Site, proxy: Proxy, fault: str) -> None:
    goes_on(proxied, proxy, name_of("watch", fault), watches_plans, WATCHES[fault])


@pytest.mark.parametrize("fault", ["not found", "html", "event 500", "cut before its answer"])
def test_a_fault_that_lasts_is_met_with_few_requests(proxied: Site, proxy: Proxy, fault: str) -> None:
    began = time.monotonic()
    with proxy.failing(lists_plans, LISTS.get(fault, LISTS["broken"])), proxy.failing(watches_plans, WATCHES[fault]):
        proxy.cut(watches_plans)
        time.sleep(6)
        asked = proxy.count(lambda a: lists_plans(a) or watches_plans(a), since=began)
    assert proxied.alive()
    assert asked <= 12


def test_what_was_deleted_in_a_gap_is_known_to_be_gone(proxied: Site, proxy: Proxy) -> None:
    """Else its timer would go on, and a task would run for a Plan that nobody has."""
    proxied.plans.apply(manifest("in-gap", "gated", interval="2s"))
    proxied.plans.wait("in-gap")
    with proxy.failing(watches_plans, reset()):
        proxy.cut(watches_plans)
        proxied.plans.kubectl("delete", "plan", "in-gap")
        time.sleep(1)
        with proxy.failing(watches_plans, watch_error(410, "Expired"), times=1):
            proxied.plans.until(lambda: proxy.count(lists_plans) > 1, "it lists anew", 30)
    proxied.plans.apply(manifest("after-gap", "marks"))
    proxied.plans.wait("after-gap", seconds=40)
    looks = len(proxied.marks("in-gap"))
    time.sleep(5)
    assert len(proxied.marks("in-gap")) == looks
