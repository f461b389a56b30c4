"""The plan of docs/plans-for-a-cluster.md, as the page has it, with a real operator."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.documentation import blocks
from tests.integration.operating import Plans, manifest, operating

PAGE = Path(__file__).parents[2] / "docs" / "plans-for-a-cluster.md"
PARAMETERS = {"credential": "database", "deployment": "shop", "container": "app"}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "app", "image": "shop:1"}]},
        },
    },
}


@pytest.fixture(autouse=True)
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[None]:
    if not cluster.controller_manager:
        pytest.skip("the cluster has no controller manager, so no rollout ends")
    for block in blocks(PAGE.read_text()):
        if block.file:
            (tmp_path / block.file).parent.mkdir(exist_ok=True)
            (tmp_path / block.file).write_text(block.text)
    with operating(cluster, [namespace], tmp_path, f"--plans={tmp_path / 'plans'}"):
        yield


def secrets(plans: Plans) -> dict[str, Any]:
    listed = json.loads(plans.kubectl("get", "secrets", "--selector=example.com/credential", "--output=json"))
    return {one["metadata"]["name"]: one for one in listed["items"]}


def used(plans: Plans) -> str:
    path = "--output=jsonpath={.spec.template.spec.containers[0].envFrom[*].secretRef.name}"
    return plans.kubectl("get", "deployment", "shop", path)


def test_it_rotates_repairs_and_is_torn_down(plans: Plans) -> None:
    plans.apply(manifest("password", "rotate-password", parameters=PARAMETERS, deletionPolicy="Teardown"))
    plans.until(lambda: "Deployment shop is not found" in plans.message("password"), "it waits for the Deployment")
    plans.apply(DEPLOYMENT)
    plans.wait("password")
    assert (list(secrets(plans)), used(plans)) == (["database-1"], "database-1")

    made = datetime.fromisoformat(secrets(plans)["database-1"]["metadata"]["creationTimestamp"])
    leak = made + timedelta(seconds=1)
    plans.until(lambda: datetime.now(UTC) > leak, "a second has passed")
    plans.patch("password", parameters={"not_before": leak.isoformat()})
    plans.until(lambda: list(secrets(plans)) == ["database-2"], "the old Secret is deleted")
    assert used(plans) == "database-2"
    plans.wait("password")

    plans.kubectl("delete", "secret", "database-2")
    plans.until(lambda: used(plans) == "database-1" and list(secrets(plans)) == ["database-1"], "a new one is used")

    plans.kubectl("delete", "plan", "password", "--timeout=60s")
    assert secrets(plans) == {}
