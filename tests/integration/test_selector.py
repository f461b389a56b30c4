"""An operator of the Plans with some labels: `--selector`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.integration.operating import Operator, Plans, manifest, operating


@pytest.fixture
def plans(crd: None, cluster: Cluster, namespace: str) -> Plans:
    return Plans(cluster, namespace)


@pytest.fixture
def shop(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    with operating(cluster, [namespace], tmp_path, "--selector=team=shop") as operator:
        yield operator


def labelled(name: str, team: str, plan: str = "marks", **spec: Any) -> dict[str, Any]:
    found = manifest(name, plan, **spec)
    found["metadata"]["labels"] = {"team": team}
    return found


@pytest.mark.usefixtures("shop")
def test_plans_with_the_labels_converge_and_no_others(plans: Plans) -> None:
    plans.apply(
        labelled("ours", "shop"), labelled("theirs", "bank"), labelled("waits", "shop", dependsOn=[{"name": "theirs"}])
    )
    plans.wait("ours")
    plans.until(lambda: plans.condition("waits") == ("False", "DependencyNotReady"), "it waits")
    assert plans.status("theirs") == {"observedGeneration": -1}
    plans.kubectl("label", "plan", "theirs", "--overwrite", "team=shop")
    plans.wait("theirs")
    plans.wait("waits")


def test_a_plan_of_another_operator_that_becomes_ready_wakes_one_that_waits(
    shop: Operator, cluster: Cluster, plans: Plans, namespace: str, tmp_path: Path
) -> None:
    plans.apply(labelled("theirs", "bank"), labelled("waits", "shop", dependsOn=[{"name": "theirs"}]))
    plans.until(lambda: plans.condition("waits") == ("False", "DependencyNotReady"), "it waits")
    other = tmp_path / "other"
    other.mkdir()
    with operating(cluster, [namespace], other, "--selector=team=bank"):
        plans.wait("waits")
    assert shop.process.poll() is None


def test_a_plan_that_leaves_the_labels_keeps_its_finalizer(shop: Operator, plans: Plans) -> None:
    plans.apply(labelled("moves", "shop", "undoes", deletionPolicy="Teardown"))
    plans.wait("moves")
    plans.kubectl("label", "plan", "moves", "--overwrite", "team=bank")
    plans.apply(labelled("later", "shop"))
    plans.wait("later")
    assert plans.get("moves")["metadata"]["finalizers"] == ["execloop.dev/teardown"]
    assert "teardown did not run" not in shop.said()
    plans.kubectl("patch", "plan", "moves", "--type=merge", f"--patch={json.dumps({'metadata': {'finalizers': []}})}")
