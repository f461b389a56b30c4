"""Programs that only the distribution has."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from tests.cluster.errors import Unavailable

_VARIABLE = "EXECLOOP_APT"


def need(*programs: str, packages: Sequence[str]) -> None:
    """Raises Unavailable when one is missing; EXECLOOP_APT=1 allows to install the Debian packages that have it."""
    missing = [program for program in programs if not shutil.which(program)]
    if not missing:
        return
    lacking = f"{' and '.join(missing)} missing"
    if os.environ.get(_VARIABLE) != "1":
        raise Unavailable(f"{lacking}: install {' '.join(packages)}, or set {_VARIABLE}=1 to have it done")
    if not shutil.which("apt-get") or os.geteuid():
        raise Unavailable(f"{lacking}, and {_VARIABLE}=1 needs apt-get and root")
    sys.stderr.write(f"installing {' '.join(packages)}\n")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"apt-get {command[0]}: {done.stderr.strip().rpartition(chr(10))[2]}")
