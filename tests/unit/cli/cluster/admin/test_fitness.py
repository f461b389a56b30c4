"""What `execloop check` makes of a cluster."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from execloop.cli.cluster.admin.fitness import definition, leader, version
from execloop.controller.api.crd import crd

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "mark"), [("29", "bad"), ("30", "good"), ("30+", "good"), ("37", "good"), ("", "bad")]
)
def test_an_old_kubernetes_is_refused(minor: str, mark: str) -> None:
    assert version({"major": "1", "minor": minor, "gitVersion": "v1"}).mark == mark


def test_the_crd_of_this_version_is_good() -> None:
    assert definition(crd()).mark == "good"


def test_a_crd_that_lacks_a_field_is_named_with_it() -> None:
    older = deepcopy(crd())
    del older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["state"]
    found = definition(older)
    assert (found.mark, "status.state" in found.detail, "kubectl apply" in found.next) == ("bad", True, True)


def test_a_cluster_without_the_crd_says_how_to_install_it() -> None:
    assert "kubectl apply" in definition(None).next


def lease(holder: str | None, renewed: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "execloop"},
        "spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15},
    }


@pytest.mark.parametrize(
    ("leases", "mark"),
    [
        ([lease("pod-1", "2026-01-02T11:59:50Z")], "good"),
        ([lease("pod-1", "2026-01-02T11:59:40Z")], "bad"),
        ([lease("", "2026-01-02T11:59:50Z")], "unknown"),
        ([], "unknown"),
    ],
    ids=["renewed", "late", "released", "none"],
)
def test_who_leads_renews_its_lease(leases: list[dict[str, Any]], mark: str) -> None:
    assert leader(leases, "home", NOW).mark == mark
