import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.cluster import binaries, build, envtest, existing, kind
from tests.cluster.errors import NoCluster, Unavailable
from tests.cluster.launch import Source, launch

PROVIDERS: dict[str, Callable[[], Source]] = {
    "existing cluster": existing.find,
    "binaries": binaries.find,
    "envtest archive": envtest.find,
    "kind": kind.find,
    "build from source": build.find,
}


def start(folder: Path, *, detached: bool = False, disposable: bool = False) -> subprocess.Popen[str]:
    """The supervisor of the first cluster that comes up. Raises NoCluster; StartFailed where one is broken."""
    reasons = []
    for name, find in PROVIDERS.items():
        try:
            return launch(folder, find(), detached=detached, disposable=disposable)
        except Unavailable as reason:
            reasons.append(f"{name}: {reason}")
    raise NoCluster(tuple(reasons))
