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
    "binaries without a controller manager": binaries.find_least,
}
_LEAST = PROVIDERS | {"binaries": binaries.find_least, "build from source": build.find_least}
del _LEAST["binaries without a controller manager"]


def start(
    folder: Path, *, detached: bool = False, disposable: bool = False, least: bool = False
) -> subprocess.Popen[str]:
    """The supervisor of the first cluster that comes up. Raises NoCluster; StartFailed where one is broken.

    `least`: build no controller manager, which takes minutes.
    """
    reasons = []
    for name, find in (_LEAST if least else PROVIDERS).items():
        try:
            return launch(folder, find(), detached=detached, disposable=disposable)
        except Unavailable as reason:
            reasons.append(f"{name}: {reason}")
    raise NoCluster(tuple(reasons))
