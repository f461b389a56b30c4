import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster.cluster import Cluster, find_kubectl
from tests.cluster.docker import answers, bounded, docker, has_image
from tests.cluster.errors import Unavailable
from tests.cluster.kubeconfig import adopt
from tests.cluster.launch import Source
from tests.cluster.tools import find_tool

# What kind v0.33 takes by itself.
PUBLISHED = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
_KIND_SECONDS = 600
_VERBS = {"create": "start", "delete": "end", "load": "load"}
_CONFIG = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes: [{role: control-plane}]
"""
# Then the kubelet does without what the machine withholds from it.
_BOUNDED = _CONFIG + "featureGates: {KubeletInUserNamespace: true}\n"


def find() -> Source:
    """EXECLOOP_KIND_IMAGE names another node image."""
    for tool in ("docker", "kind"):
        if not shutil.which(tool):
            raise Unavailable(f"{tool} is not on the PATH")
    find_kubectl()
    if not answers():
        raise Unavailable("no Docker daemon answers")
    image = os.environ.get("EXECLOOP_KIND_IMAGE") or PUBLISHED
    obtain(image)
    return Source("kind", image)


def obtain(image: str) -> None:
    """Pull it, unless it is here. Raises Unavailable."""
    if has_image(image):
        return
    if os.environ.get("EXECLOOP_OFFLINE") == "1":
        raise Unavailable(f"{image} is not here, and EXECLOOP_OFFLINE=1 leaves the download out")
    sys.stderr.write(f"pulling {image}\n")
    try:
        docker("pull", "--quiet", image)
    except Unavailable as failure:
        raise Unavailable(f"{image} cannot be pulled: {failure}") from None


@contextmanager
def run(folder: Path, argument: str) -> Iterator[Cluster]:
    """`argument` is the node image. What stops kind is mostly the host: other providers may do better."""
    with created(f"execloop-{os.getpid()}", argument, folder) as cluster:
        yield cluster


@contextmanager
def created(name: str, image: str, folder: Path) -> Iterator[Cluster]:
    """A cluster of one node, the container `NAME-control-plane`. Raises Unavailable."""
    original, config = folder / "kind.kubeconfig", folder / "kind.yaml"
    config.write_text(_BOUNDED if bounded() else _CONFIG)
    options = [f"--name={name}", f"--kubeconfig={original}"]
    try:
        _kind("create", "cluster", *options, f"--image={image}", f"--config={config}", "--wait=3m", image=image)
        yield adopt(original, folder)
    finally:
        with suppress(Unavailable):
            _kind("delete", "cluster", *options, image=image)


def load(name: str, *images: str) -> None:
    """From the Docker daemon into the cluster's node. Raises Unavailable."""
    _kind("load", "docker-image", f"--name={name}", *images, image=images[0])


def _kind(*arguments: str, image: str) -> None:
    program = find_tool("kind")
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_KIND_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"kind {arguments[0]} took longer than {_KIND_SECONDS} s") from None
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2] or f"exit {done.returncode}"
        raise Unavailable(f"kind cannot {_VERBS[arguments[0]]} {image}: {why}")
