"""Users of a cluster who may do only so much."""

import json
from pathlib import Path

from tests.cluster import Cluster
from tests.integration.conftest import Kubectl


def account(
    cluster: Cluster, kubectl: Kubectl, namespace: str, name: str, folder: Path, *, role: str | None = None
) -> Path:
    """The kubeconfig of a new service account, which may do what a role of its namespace allows, or nothing."""
    kubectl("create", "serviceaccount", name)
    if role:
        kubectl("create", "rolebinding", name, f"--role={role}", f"--serviceaccount={namespace}:{name}")
    view = cluster.kubectl("config", "view", "--minify", "--flatten", "--raw", "--output=json")
    config = json.loads(view)
    config["users"][0]["user"] = {"token": kubectl("create", "token", name).strip()}
    path = folder / f"{name}.kubeconfig"
    path.write_text(json.dumps(config))
    return path
