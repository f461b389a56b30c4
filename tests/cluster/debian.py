"""Programs that only the distribution has."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.binaries import cache
from tests.cluster.errors import Unavailable

_VARIABLE = "EXECLOOP_APT"
_SECONDS = 300


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


def unpacked(package: str, *, needed: bool = False, without: Sequence[str] = ()) -> Path:
    """A folder of the cache with what a package would install, and nothing is installed. Raises Unavailable.

    `needed`: also what it needs and this machine does not have, except the packages whose names begin with `without`.
    """
    folder = cache() / "debian" / package
    if folder.is_dir():
        return folder
    if os.environ.get("EXECLOOP_OFFLINE") == "1":
        raise Unavailable(f"{package} is not installed, and EXECLOOP_OFFLINE=1 leaves the download out")
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise Unavailable(f"{package} is not installed, and there is no apt-get to get Debian's package with")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        names = _absent(package) if needed else [package]
        chosen = [name for name in names if not name.startswith(tuple(without))]
        _run(["apt-get", "download", "--quiet", *chosen], temporary)
        for archive in Path(temporary).glob("*.deb"):
            _run(["dpkg", "--extract", str(archive), "unpacked"], temporary)
        try:
            (Path(temporary) / "unpacked").rename(folder)
        except OSError:
            if not folder.is_dir():  # else another test was faster
                raise
    return folder


def newest(package: str) -> str:
    """The package that a package without content stands for, such as `postgresql-15`. Raises Unavailable."""
    lines = _run(["apt-cache", "depends", package], "/").splitlines()
    found = [line.split()[-1] for line in lines if line.strip().startswith(f"Depends: {package}-")]
    named = [name for name in found if name.rpartition("-")[2].isdecimal()]
    if not named:
        raise Unavailable(f"{package}: apt-cache knows no version of it; try apt-get update")
    return named[0]


def _absent(package: str) -> list[str]:
    """It, and all that would be installed with it."""
    simulated = _run(["apt-get", "install", "--simulate", "--no-install-recommends", package], "/")
    return [line.split()[1] for line in simulated.splitlines() if line.startswith("Inst ")]


def _run(command: list[str], folder: str) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{' '.join(command[:2])}: {error.stderr.strip().rpartition(chr(10))[2]}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(command[:2])} was not done after {_SECONDS} s") from None
    return done.stdout
