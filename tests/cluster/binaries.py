import os
from pathlib import Path

from tests.cluster.errors import Unavailable
from tests.cluster.launch import Source

REQUIRED = ("etcd", "kube-apiserver", "kubectl")
KUBE_VERSION = "v1.37.2"


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "execloop"


def built() -> Path:
    return cache() / f"kube-{KUBE_VERSION}" / "bin"


def missing(folder: Path) -> list[str]:
    return [name for name in REQUIRED if not os.access(folder / name, os.X_OK)]


def control_plane(folder: Path) -> Source:
    return Source("control-plane", str(folder.resolve()))


def find() -> Source:
    """KUBEBUILDER_ASSETS, the folder that other tools for Kubernetes look into too, else what was built before."""
    reasons = []
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for name, folder in [("KUBEBUILDER_ASSETS", Path(assets) if assets else None), ("the cache", built())]:
        if folder is None:
            reasons.append(f"{name} is not set")
        elif lacking := missing(folder):
            reasons.append(f"{name} ({folder}) lacks {', '.join(lacking)}")
        else:
            return control_plane(folder)
    raise Unavailable("; ".join(reasons))
