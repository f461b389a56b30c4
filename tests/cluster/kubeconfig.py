import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

from tests.cluster.cluster import Cluster

_NAME = "execloop"


def write(cluster: Cluster, certificate: Path) -> None:
    authority = b64encode(certificate.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": {"server": cluster.server, "certificate-authority-data": authority}}],
        "users": [{"name": _NAME, "user": {"token": cluster.token}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
        "current-context": _NAME,
    }
    _write(cluster.kubeconfig, json.dumps(config, indent=2))  # JSON is YAML


def adopt(original: Path, folder: Path) -> Cluster:
    """The cluster of a kubeconfig's current context, with a copy of that context in `folder`. Raises KubectlFailed."""
    cluster = Cluster(kubeconfig=folder / "kubeconfig", server="")
    view = cluster.kubectl("config", "view", f"--kubeconfig={original}", "--minify", "--flatten", "--raw", "-o=json")
    _write(cluster.kubeconfig, view)
    config = json.loads(view)
    user = config["users"][0]["user"] if config.get("users") else {}
    cluster.kubectl("get", "--raw=/readyz", "--request-timeout=10s")
    return replace(
        cluster,
        server=config["clusters"][0]["cluster"]["server"],
        token=user.get("token"),
        controller_manager=has_default_account(cluster),
    )


def has_default_account(cluster: Cluster) -> bool:
    """A controller manager's first visible work."""
    return bool(cluster.kubectl("get", "serviceaccount", "default", "--namespace=default", "--ignore-not-found"))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
