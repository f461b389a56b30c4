import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.cluster import Cluster, find_kubectl
from tests.cluster.errors import Unavailable
from tests.cluster.kubeconfig import adopt
from tests.cluster.launch import Source

# What kind v0.33 takes by itself.
_IMAGE = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
_ANSWER_SECONDS = 10
_PULL_SECONDS = 600
_CREATE_SECONDS = 600


def find() -> Source:
    """EXECLOOP_KIND_IMAGE names another node image."""
    for tool in ("docker", "kind"):
        if not shutil.which(tool):
            raise Unavailable(f"{tool} is not on the PATH")
    find_kubectl()
    if _failure("docker", "info", seconds=_ANSWER_SECONDS):
        raise Unavailable("no Docker daemon answers")
    image = os.environ.get("EXECLOOP_KIND_IMAGE") or _IMAGE
    if _failure("docker", "image", "inspect", image, seconds=_ANSWER_SECONDS):
        if os.environ.get("EXECLOOP_OFFLINE") == "1":
            raise Unavailable(f"{image} is not here, and EXECLOOP_OFFLINE=1 leaves the download out")
        sys.stderr.write(f"pulling {image}\n")
        if failure := _failure("docker", "pull", "--quiet", image, seconds=_PULL_SECONDS):
            raise Unavailable(f"{image} cannot be pulled: {failure}")
    return Source("kind", image)


@contextmanager
def run(folder: Path, argument: str) -> Iterator[Cluster]:
    """`argument` is the node image. What stops kind is mostly the host: other providers may do better."""
    name = f"--name=execloop-{os.getpid()}"
    original = folder / "kind.kubeconfig"
    create = ["kind", "create", "cluster", name, f"--image={argument}", f"--kubeconfig={original}", "--wait=3m"]
    try:
        if failure := _failure(*create, seconds=_CREATE_SECONDS):
            raise Unavailable(f"kind cannot start {argument}: {failure}")
        yield adopt(original, folder)
    finally:
        _failure("kind", "delete", "cluster", name, f"--kubeconfig={original}", seconds=_CREATE_SECONDS)


def _failure(*command: str, seconds: float) -> str:
    """The last line of what a failed command wrote; empty where it did its work."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"{command[0]} took longer than {seconds:g} s"
    if not done.returncode:
        return ""
    return done.stderr.strip().rpartition("\n")[2] or f"exit {done.returncode}"
