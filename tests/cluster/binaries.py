import os
from pathlib import Path

from tests.cluster.errors import Unavailable
from tests.cluster.launch import Source

REQUIRED = ("etcd", "kube-apiserver", "kubectl")
KUBE_VERSION = "v1.37.2"


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "execloop"


def make_cache(folder: Path) -> None:
    """Raises Unavailable where this user may not write it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"the cache {folder} cannot be made: {error.strerror}"
        raise Unavailable(f"{reason}; set XDG_CACHE_HOME to a folder that you may write") from None


def built() -> Path:
    return cache() / f"kube-{KUBE_VERSION}" / "bin"


def missing(folder: Path, programs: tuple[str, ...] = REQUIRED) -> list[str]:
    return [name for name in programs if not os.access(folder / name, os.X_OK)]


def control_plane(folder: Path) -> Source:
    return Source("control-plane", str(folder.resolve()))


def find() -> Source:
    """KUBEBUILDER_ASSETS, the folder that other tools for Kubernetes look into too, else what was built before."""
    return _find(REQUIRED, (*REQUIRED, "kube-controller-manager"))


def find_least() -> Source:
    """The same, content with a build for the demo, which has no controller manager."""
    return _find(REQUIRED, REQUIRED)


def _find(of_assets: tuple[str, ...], of_cache: tuple[str, ...]) -> Source:
    reasons = []
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    places = [
        ("KUBEBUILDER_ASSETS", Path(assets) if assets else None, of_assets),
        ("the cache", built(), of_cache),
    ]
    for name, folder, programs in places:
        if folder is None:
            reasons.append(f"{name} is not set")
        elif lacking := missing(folder, programs):
            reasons.append(f"{name} ({folder}) lacks {', '.join(lacking)}")
        else:
            return control_plane(folder)
    raise Unavailable("; ".join(reasons))
