"""Plans that wait for objects: what they cost meanwhile, and what wakes them, on a real API server."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.faults.proxy import Asked, Proxy, reset
from tests.integration.operating import Plans, manifest, operating

PLANS = ("a", "b", "c")
SETTLED_SECONDS = 4.0
"""After which each Plan was looked at twice, and its watch is open."""
QUIET_SECONDS = 6.0
"""In which a Plan without a watch would be looked at again."""


def asks_for_the_source(asked: Asked) -> bool:
    return asked.path.endswith("/configmaps/source")


def watches_sources(asked: Asked) -> bool:
    return asked.path.endswith("/configmaps") and asked.watches


@pytest.fixture
def proxy(cluster: Cluster, crd: None, namespace: str, plans: Plans, tmp_path: Path) -> Iterator[Proxy]:
    """One before an operator with three Plans that wait for a ConfigMap."""
    with (
        Proxy.before(cluster, tmp_path) as proxy,
        operating(cluster, [namespace], tmp_path, kubeconfig=proxy.kubeconfig),
    ):
        source = [{"kind": "ConfigMap", "name": "source"}]
        plans.apply(*(manifest(name, "marks", parametersFrom=source) for name in PLANS))
        waits = ("False", "ParametersNotFound")
        plans.until(lambda: all(plans.condition(name) == waits for name in PLANS), "they wait")
        time.sleep(SETTLED_SECONDS)
        yield proxy


def test_they_cost_no_request_and_a_change_wakes_each(proxy: Proxy, plans: Plans) -> None:
    began = time.monotonic()
    time.sleep(QUIET_SECONDS)
    assert proxy.count(asks_for_the_source, since=began) == 0
    plans.kubectl("create", "configmap", "source")
    for name in PLANS:
        plans.wait(name, seconds=5)
    assert proxy.count(asks_for_the_source, since=began) <= 2 * len(PLANS)


def test_what_is_made_while_the_watch_is_broken_wakes_them_when_it_works_again(proxy: Proxy, plans: Plans) -> None:
    with proxy.failing(watches_sources, reset()):
        assert proxy.cut(watches_sources)
        plans.kubectl("create", "configmap", "source")
    for name in PLANS:
        plans.wait(name, seconds=20)
