"""The command gives a plan its cluster."""

import json
import subprocess
import sys
from pathlib import Path

from tests.cluster import Cluster
from tests.integration.conftest import Kubectl

PLANS = Path(__file__).parents[1] / "plans"


def _execloop(command: str, cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    given = ["--plans", str(PLANS), "--kubeconfig", str(cluster.kubeconfig)]
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "execloop.cli", command, *given, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_asynchronous_plan_code_works_in_the_namespace_of_the_manifest(
    cluster: Cluster, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        f"{{apiVersion: execloop.dev/v1alpha1, kind: Plan, metadata: {{name: mine, namespace: {namespace}}},"
        " spec: {plan: config-map, parameters: {name: made, data: {a: b}}, sleepBetweenRuns: 10ms}}"
    )
    assert _execloop("preview", cluster, str(path)).stdout == "apply\n"
    done = _execloop("run", cluster, str(path))
    assert done.returncode == 0, done.stderr
    assert json.loads(kubectl("get", "configmap", "made", "--output=json"))["data"] == {"a": "b"}
    again = _execloop("preview", cluster, str(path))
    assert again.stdout == ""
    assert again.stderr == "mine: converged, nothing to do\n"


def test_blocking_plan_code_has_the_official_client(cluster: Cluster) -> None:
    done = _execloop("run", cluster, "count-nodes")
    assert done.returncode == 0, done.stderr
    assert "INFO execloop.plan: 0 nodes" in done.stderr


def test_what_the_server_refuses_is_one_line(cluster: Cluster) -> None:
    done = _execloop("run", cluster, "config-map", "-p", "name=Not A Name", "--json")
    assert done.returncode == 1
    assert "Not A Name" in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr
