"""docs/gitops/helm-hook.yaml: its command, with its rights and no others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.cluster import Cluster
from tests.integration.access import account
from tests.integration.conftest import Kubectl
from tests.integration.operating import Operator, Plans, manifest

HOOK = Path(__file__).parents[2] / "docs" / "gitops" / "helm-hook.yaml"


def test_the_hook_waits_with_its_own_rights(
    cluster: Cluster, kubectl: Kubectl, plans: Plans, namespace: str, operator: Operator, tmp_path: Path
) -> None:
    objects = {one["kind"]: one for one in yaml.safe_load_all(HOOK.read_text())}
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects.values())}
    kubectl("apply", "--dry-run=server", "--validate=strict", "--filename=-", input=json.dumps(items))
    kubectl("apply", "--filename=-", input=json.dumps(objects["Role"]))
    user = account(cluster, kubectl, namespace, "wait-for-plans", tmp_path, role="wait-for-plans")
    (arguments,) = (one["args"] for one in objects["Job"]["spec"]["template"]["spec"]["containers"])
    command = [sys.executable, "-m", "execloop.cli", *arguments, f"--namespace={namespace}"]

    plans.apply(manifest("a", "marks"))
    waited = [subprocess.run(command, env=os.environ | {"KUBECONFIG": str(user)}, check=False).returncode]
    plans.apply(manifest("b", "fatal"))
    waited.append(subprocess.run(command, env=os.environ | {"KUBECONFIG": str(user)}, check=False).returncode)
    assert waited == [0, 1]
