"""The recipes of docs/recipes.md, applied as they are written."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.documentation import blocks
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, operating
from tests.integration.test_jobs import Kubelet, kubelet
from tests.unit.library.http.api import serving

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
TENANTS, NIGHTLY, ADOPTION = (block.text for block in blocks(PAGE) if block.language == "yaml")

__all__ = ["kubelet"]


@pytest.fixture
def operator(cluster: Cluster, crd: None, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    with operating(cluster, [namespace], tmp_path, "--plan-address=127.0.0.1") as running:
        yield running


pytestmark = pytest.mark.usefixtures("operator")


def test_the_namespaces_of_tenants(plans: Plans, kubectl: Kubectl, namespace: str, cluster: Cluster) -> None:
    text = TENANTS.replace("namespace: platform", f"namespace: {namespace}").replace("team-", f"{namespace}-")
    kubectl("apply", "--filename=-", input=text.replace("execloop-tenants", f"tenants-{namespace}"))
    plans.wait("tenants")
    try:
        for team, cpu in (("blue", "4"), ("red", "8")):
            place = f"--namespace={namespace}-{team}"
            quota = json.loads(cluster.kubectl("get", place, "resourcequota", "team", "--output=json"))
            assert quota["spec"]["hard"] == {"requests.cpu": cpu, "pods": "50"}
            binding = json.loads(cluster.kubectl("get", place, "rolebinding", "team", "--output=json"))
            assert binding["subjects"][0]["name"] == team
        place = f"--namespace={namespace}-blue"
        change = '--patch={"spec": {"hard": {"pods": "500"}}}'
        cluster.kubectl("patch", place, "resourcequota", "team", "--type=merge", change)
        plans.annotate("tenants", requestedAt="now")
        pods = ["get", place, "resourcequota", "team", "--output=jsonpath={.spec.hard.pods}"]
        plans.until(lambda: cluster.kubectl(*pods) == "50", "the quota is repaired", 90)
    finally:
        cluster.kubectl("delete", "namespace", f"{namespace}-blue", f"{namespace}-red", "--wait=false")
        cluster.kubectl("delete", "clusterrole,clusterrolebinding", f"tenants-{namespace}")


def test_a_nightly_job_with_retries_and_a_report(plans: Plans, kubectl: Kubectl, kubelet: Kubelet) -> None:
    finished = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    attempts: list[str] = []

    def fate(pod: dict[str, Any]) -> str | int:
        if pod["metadata"]["name"] not in attempts:
            attempts.append(pod["metadata"]["name"])
        if len(attempts) == 1:
            return 3
        report = {"finished": finished, "rows": "12"}
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nightly"}, "data": report}
        kubectl("apply", "--filename=-", input=json.dumps(made))
        return ""

    kubelet.fate = fate
    with serving() as api:
        kubectl("apply", "--filename=-", input=NIGHTLY.replace("https://reports.example.com", api.url))
        plans.wait("nightly", seconds=120)
        day = datetime.now(UTC).timetuple().tm_yday - 1
        assert api.objects == {f"/nightly/{finished[:4]}-{day}": {"rows": 12, "finished": finished}}
    assert len(attempts) == 2
    assert plans.status("nightly")["execution"]["errors"] == 1


def test_the_objects_of_a_helm_release_are_adopted(plans: Plans, kubectl: Kubectl, namespace: str) -> None:
    marks = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": namespace}
    labels = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "shop"}
    settings = {"name": "shop-settings", "labels": labels, "annotations": marks}
    record = {"name": "sh.helm.release.v1.shop.v1", "labels": {"owner": "helm", "name": "shop"}}
    left = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": settings, "data": {"colour": "red"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": record, "type": "helm.sh/release.v1"},
    ]
    kubectl("create", "--filename=-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": left}))
    uid = json.loads(kubectl("get", "configmap", "shop-settings", "--output=json"))["metadata"]["uid"]
    kubectl("apply", "--filename=-", input=ADOPTION)
    plans.until(lambda: plans.condition("adoption") == ("Unknown", "ApprovalRequired"), "it asks before it forgets")
    found = json.loads(kubectl("get", "configmap", "shop-settings", "--output=json"))
    assert (found["metadata"]["uid"], found["data"]) == (uid, {"colour": "blue"})
    assert "meta.helm.sh/release-name" not in found["metadata"].get("annotations", {})
    plans.annotate("adoption", approve=plans.status("adoption")["pending"]["digest"])
    plans.wait("adoption")
    assert "helm" not in kubectl("get", "secrets", "--output=name")
