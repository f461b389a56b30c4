"""Images made without a registry: kind's node, and a Python base for the operator's image.

Debian comes from its packages, the rest from Go modules. Two minutes, once the programs are built.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import debian
from tests.cluster.binaries import KUBE_VERSION
from tests.cluster.build import build, find_go, module_folder, run_go
from tests.cluster.docker import docker, has_image
from tests.cluster.errors import Unavailable
from tests.cluster.programs import CONTROL_PLANE, KIND, KUBERNETES, NODE

_SUITE = "bookworm"
NODE_IMAGE = f"execloop/kind-node:{KUBE_VERSION}"
PYTHON_IMAGE = f"execloop/python:{_SUITE}"
_FILES = Path(__file__).parent / "node"
_PYTHON = ("python3", "python3-venv", "ca-certificates")
_SYSTEM = (
    *("systemd", "systemd-sysv", "dbus", "kmod", "mount", "util-linux", "procps", "e2fsprogs", "ca-certificates"),
    *("conntrack", "iptables", "nftables", "iproute2", "ethtool", "socat", "runc", "containernetworking-plugins"),
    *("libseccomp2", "pigz", "curl", "jq"),
)
_BULK = ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")


def python_image() -> str:
    if not has_image(PYTHON_IMAGE):
        with _work() as work:
            _import(_debian(work / "python", _PYTHON), PYTHON_IMAGE)
    return PYTHON_IMAGE


def node_image() -> str:
    if not has_image(NODE_IMAGE):
        programs = build([*CONTROL_PLANE, *NODE])
        with _work() as work:
            _make_node(programs, work)
    return NODE_IMAGE


@contextmanager
def _work() -> Iterator[Path]:
    if os.geteuid():
        raise Unavailable("only root can make a Debian root file system")
    debian.need("debootstrap", "gcc", packages=["debootstrap", "gcc", "libc6-dev"])
    with tempfile.TemporaryDirectory(prefix="execloop-image-") as folder:
        yield Path(folder)


def _debian(root: Path, packages: tuple[str, ...]) -> Path:
    sys.stderr.write(f"making a Debian root file system: {', '.join(packages[:2])}, ...\n")
    _run("debootstrap", "--variant=minbase", f"--include={','.join(packages)}", _SUITE, root)
    for folder in _BULK:
        shutil.rmtree(root / folder, ignore_errors=True)
    return root


def _make_node(programs: Path, work: Path) -> None:
    system, base = _debian(work / "debian", _SYSTEM), f"execloop/debian:{_SUITE}"
    _import(system, base)
    images = _component_images(programs, system, work)
    arguments = {
        "BASE": base,
        "KUBE_VERSION": KUBE_VERSION,
        "PAUSE": next(name for name in images if "/pause:" in name),
    }
    empty = f"{NODE_IMAGE}-empty"
    settings = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    docker("build", "--quiet", f"--tag={empty}", *settings, str(_context(programs, work / "node")))
    archives = work / "in"
    archives.mkdir()
    docker("save", f"--output={archives / 'images.tar'}", *images)
    shutil.copy(_FILES / "load-images.sh", archives)
    _fill(empty, archives)


def _component_images(programs: Path, system: Path, work: Path) -> list[str]:
    """What kubeadm would pull, under the same names. All but kube-proxy are one static program."""
    listed = _run(programs / "kubeadm", "config", "images", "list", f"--kubernetes-version={KUBE_VERSION}")
    names = listed.split()
    source = json.loads(run_go(find_go(), ["list", "-m", "-json", "k8s.io/kubernetes"], KUBERNETES))["Dir"]
    _run("gcc", "-static", "-Os", "-s", "-DVERSION=local", "-o", work / "pause", f"{source}/build/pause/linux/pause.c")
    for name in names:
        component = name.rpartition("/")[2].partition(":")[0]
        root = work / f"root-{component}"
        if component == "kube-proxy":
            _run(_FILES / "proxy-root.sh", system, root)
        program = (work if component == "pause" else programs) / component
        # kubeadm's manifests name the programs; only CoreDNS and pause are started by the image's own entry point.
        place = Path("coredns" if component == "coredns" else f"usr/local/bin/{component}")
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program, root / place)
        _import(root, name, f'ENTRYPOINT ["/{place}"]', "ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin")
    return names


def _context(programs: Path, context: Path) -> Path:
    """Kind's own files, the programs, and what this folder adds."""
    shutil.copytree(_FILES, context)
    shutil.copytree(module_folder(find_go(), KIND) / "images/base/files", context / "files")
    for folder, names in {
        "kubernetes": ("kubeadm", "kubelet", "kubectl"),
        "containerd": ("containerd", "ctr", "containerd-shim-runc-v2"),
    }.items():
        (context / folder).mkdir()
        for name in names:
            shutil.copy(programs / name, context / folder)
    return context


def _fill(empty: str, archives: Path) -> None:
    """The node image with the components' images in its containerd."""
    name = f"execloop-node-{os.getpid()}"
    options = ["--privileged", f"--name={name}", f"--volume={archives}:/in:ro", "--entrypoint=sleep"]
    docker("run", "--detach", *options, empty, "infinity")
    try:
        docker("exec", name, "bash", "/in/load-images.sh")
        docker("commit", '--change=ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]', name, NODE_IMAGE)
    finally:
        docker("rm", "--force", "--volumes", name)


def _import(root: Path, name: str, *changes: str) -> None:
    archive = root.with_suffix(".tar")
    _run("tar", "-C", root, "-cf", archive, ".")
    docker("import", *(f"--change={change}" for change in changes), str(archive), name)
    archive.unlink()


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{Path(command[0]).name}: {(done.stderr or done.stdout).strip().rpartition(chr(10))[2]}")
    return done.stdout
