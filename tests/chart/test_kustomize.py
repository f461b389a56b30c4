"""Kustomize's base and overlays, for those who do without Helm."""

import json
from pathlib import Path

import pytest
import yaml

from release.kustomize import render
from tests.chart.rendering import Rendered
from tests.chart.test_rbac import OWN, held, working
from tests.cluster import Cluster
from tests.integration.operating import Plans, manifest, operating

KUSTOMIZE = Path(__file__).parents[2] / "kustomize"
OVERLAYS = ["base", "overlays/one-replica", "overlays/approved-by", "overlays/plans"]


def build(cluster: Cluster, folder: str) -> Rendered:
    return Rendered(yaml.safe_load_all(cluster.kubectl("kustomize", str(KUSTOMIZE / folder))))


def test_it_is_what_the_chart_makes(helm: Path) -> None:
    stale = [path.name for path, text in render(str(helm)).items() if path.read_text() != text]
    assert stale == [], "run make kustomize"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_real_api_server_takes_every_object(cluster: Cluster, folder: str, namespace: str) -> None:
    objects = [manifest for manifest in build(cluster, folder) if manifest["kind"] != "Namespace"]
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}).replace("execloop-system", namespace)
    options = ["--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts", "--filename=-"]
    assert cluster.kubectl("apply", *options, input=items).count("serverside-applied") == len(objects)


def test_the_operator_has_the_charts_rights(cluster: Cluster) -> None:
    assert held(build(cluster, "base")) == working("*") | OWN


def test_one_replica_is_not_kept_from_being_evicted(cluster: Cluster) -> None:
    built = build(cluster, "overlays/one-replica")
    assert (built.one("Deployment")["spec"]["replicas"], built.of("PodDisruptionBudget")) == (1, [])


def test_plan_code_is_mounted_from_a_config_map_that_is_named_by_its_content(cluster: Cluster) -> None:
    built = build(cluster, "overlays/plans")
    (name,) = [one["metadata"]["name"] for one in built.of("ConfigMap")]
    assert name.startswith("execloop-plans-")
    assert {"name": "plans", "configMap": {"name": name}} in built.pod["volumes"]
    assert "--plans=/plans-configmap" in built.container["args"]


def test_the_plan_of_the_overlay_works(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> None:
    with operating(cluster, [namespace], tmp_path, f"--plans={KUSTOMIZE / 'overlays' / 'plans'}"):
        plans = Plans(cluster, namespace)
        plans.apply(manifest("hello", "greeting", parameters={"text": "Good morning"}))
        plans.wait("hello")
        assert plans.kubectl("get", "configmap", "hello", "--output=jsonpath={.data.text}") == "Good morning"
