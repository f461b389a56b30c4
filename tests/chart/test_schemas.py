"""What the chart makes is what Kubernetes takes: by each version's published schemas, and by a real API server."""

import json
import re
from typing import Any

import kubernetes_validate
import pytest

from tests.chart.rendering import CHART, NAMESPACE, Chart, Rendered
from tests.cluster import Cluster

_OLDEST = re.search(r'kubeVersion: ">=1\.(\d+)', (CHART / "Chart.yaml").read_text())
assert _OLDEST
VERSIONS = range(int(_OLDEST[1]), int(kubernetes_validate.latest_version().split(".")[1]) + 1)
MUTATING_SINCE, IMAGE_VOLUMES_SINCE = 36, 31

MUCH: dict[str, Any] = {
    "labels": {"team": "a"},
    "annotations": {"team": "a"},
    "image": {"pullSecrets": ["pull"]},
    "replicas": 3,
    "watch": {"namespaces": ["a", "b"]},
    "operator": {"allow": ["a=manifests"], "crossNamespaceDependencies": True},
    "plans": {"configMap": "code", "volume": {"persistentVolumeClaim": {"claimName": "code"}}},
    "rbac": {"readConfigMaps": True, "readSecrets": True},
    "impersonation": {"serviceAccounts": [{"namespace": "a", "names": ["x"]}, {"namespace": "*", "names": ["y"]}]},
    "uninstall": {"removeFinalizers": True},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "podLabels": {"a": "b"},
    "podAnnotations": {"a": "b"},
    "extraEnv": [{"name": "A", "value": "b"}],
    "extraEnvFrom": [{"secretRef": {"name": "a", "optional": True}}],
    "extraVolumes": [{"name": "a", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "a", "mountPath": "/a"}],
    "networkPolicy": {"enabled": True, "extraEgress": [{"ports": [{"port": 5432}]}]},
}
IMAGE_VOLUME = {"image": {"reference": "plans:1"}}


@pytest.mark.parametrize("minor", VERSIONS)
def test_every_object_fits_the_schema_of_the_version(chart: Chart, minor: int) -> None:
    apis = ["admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"] if minor >= MUTATING_SINCE else []
    plans = MUCH["plans"] | (IMAGE_VOLUME if minor >= IMAGE_VOLUMES_SINCE else {})
    validated = set()
    for manifest in chart.render({**MUCH, "plans": plans}, kube=f"v1.{minor}.0", apis=apis):
        if manifest["kind"] == "CustomResourceDefinition":
            continue  # its schema refers to itself, which takes the validator minutes; the API server reads it below
        kubernetes_validate.validate(manifest, f"1.{minor}", strict=True)  # raises
        validated.add(manifest["kind"])
    assert validated >= {"Deployment", "ClusterRole", "ServiceAccount", "NetworkPolicy"}


@pytest.fixture
def system(cluster: Cluster, namespace: str) -> str:
    """A namespace with Pod Security `restricted`, and the account that pods need before anything else."""
    cluster.kubectl("create", "serviceaccount", "execloop", f"--namespace={namespace}")
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    return namespace


def try_out(cluster: Cluster, namespace: str, manifests: list[dict[str, Any]]) -> str:
    """Server-side apply, strict and without effect."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}).replace(NAMESPACE, namespace)
    options = ["--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts", "--filename=-"]
    return cluster.kubectl("apply", *options, input=text)


@pytest.mark.parametrize("values", [{}, MUCH], ids=["default", "much"])
def test_a_real_api_server_takes_every_object(
    chart: Chart, cluster: Cluster, system: str, values: dict[str, Any]
) -> None:
    here = {**values, "watch": {"namespaces": [system]}, "impersonation": {"serviceAccounts": []}}
    assert "plans.execloop.dev serverside-applied" in try_out(cluster, system, chart.render(here))


def pods(rendered: Rendered) -> list[dict[str, Any]]:
    """Of the Deployment, of the check before an uninstallation, and of `helm test`."""
    specs = [rendered.pod, rendered.one("Job")["spec"]["template"]["spec"], rendered.one("Pod")["spec"]]
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{i}", "namespace": NAMESPACE}, "spec": spec}
        for i, spec in enumerate(specs)
    ]


def test_pod_security_restricted_admits_every_pod(chart: Chart, cluster: Cluster, system: str) -> None:
    assert try_out(cluster, system, pods(chart.render())).count("serverside-applied") == 3


def test_pod_security_restricted_refuses_a_looser_one(chart: Chart, cluster: Cluster, system: str) -> None:
    loose = chart.render({"securityContext": {"allowPrivilegeEscalation": True}})
    with pytest.raises(Exception, match='violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'):
        try_out(cluster, system, pods(loose))
