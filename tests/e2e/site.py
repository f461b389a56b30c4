"""What the tests stand on: a kind cluster with pods, the operator's image in it, helm and kubectl."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from release import image as release_image
from tests.cluster import Cluster, kind
from tests.cluster.docker import bounded, daemon, docker
from tests.cluster.errors import Unavailable
from tests.cluster.node_image import node_image, python_image
from tests.cluster.tools import find_tool

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "execloop"
IMAGE, PREVIOUS_IMAGE, PLANS_IMAGE = "execloop:e2e", "execloop:e2e-previous", "execloop-plans:e2e"
SYSTEM, TEAM, RELEASE = "execloop-system", "team-a", "execloop"
PLANS = Path(__file__).parent / "plans"


class HelmFailed(Exception):
    """The message is what helm wrote."""


@dataclass(frozen=True)
class Site:
    cluster: Cluster
    name: str
    """kind's name of the cluster."""
    base: str
    """The image that the operator's image stands on."""
    folder: Path

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002  subprocess's
        return self.cluster.kubectl(*arguments, input=input, check=check)

    def get(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "--output=json"))
        return found

    def helm(self, *arguments: str | Path) -> str:
        """Raises HelmFailed."""
        command = [find_tool("helm"), f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={SYSTEM}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise HelmFailed(done.stdout + done.stderr)
        return done.stdout + done.stderr

    def upgrade(self, values: dict[str, Any], chart: Path = CHART, *, seconds: int = 180) -> float:
        """Install or upgrade the release; the seconds until it is ready."""
        file = self.folder / "values.yaml"
        file.write_text(json.dumps(values))
        start = time.monotonic()
        self.helm("upgrade", "--install", RELEASE, chart, f"--values={file}", "--wait", f"--timeout={seconds}s")
        return time.monotonic() - start

    def in_node(self, *command: str) -> str:
        return docker("exec", f"{self.name}-control-plane", *command)


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """All that it starts ends with it. Raises Unavailable where this machine cannot."""
    with ExitStack() as stack:
        stack.enter_context(daemon())
        base = _first(_published_base, python_image)
        node = _first(_published_node, node_image)
        sys.stderr.write(f"the operator's base is {base}, the node's image {node}\n")
        stack.callback(_remove, IMAGE, PREVIOUS_IMAGE, PLANS_IMAGE)
        _timed("building the image", partial(release_image.build, base, IMAGE, "e2e"))
        docker("tag", IMAGE, PREVIOUS_IMAGE)
        _plans_image(folder / "plans-image")
        name = "execloop-e2e"
        cluster = stack.enter_context(kind.created(name, node, folder))
        _timed("loading the images", partial(kind.load, name, IMAGE, PREVIOUS_IMAGE, PLANS_IMAGE))
        made = Site(cluster, name, base, folder)
        for namespace in (SYSTEM, TEAM):
            made.kubectl("create", "namespace", namespace)
            made.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        yield made


def _published_base() -> str:
    base = release_image.default_base()
    kind.obtain(base)
    return base


def _published_node() -> str:
    if bounded():
        raise Unavailable("the published node image needs CAP_SYS_RESOURCE, which this machine withholds")
    kind.obtain(kind.PUBLISHED)
    return kind.PUBLISHED


def _first(*ways: Callable[[], str]) -> str:
    reasons = []
    for way in ways:
        try:
            return way()
        except Unavailable as reason:
            reasons.append(str(reason))
    raise Unavailable("; ".join(reasons))


def _plans_image(context: Path) -> None:
    """Python files and nothing else: what `plans.image` mounts."""
    shutil.copytree(PLANS, context, ignore=shutil.ignore_patterns("__pycache__"))
    (context / "jobs.py").rename(context / "more_jobs.py")
    text = (context / "more_jobs.py").read_text().replace('@plan("queue"', '@plan("more-jobs"')
    (context / "more_jobs.py").write_text(text)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY *.py /\n")
    docker("build", "--quiet", f"--tag={PLANS_IMAGE}", str(context))


def _remove(*images: str) -> None:
    for image in images:
        with suppress(Unavailable):
            docker("image", "rm", "--force", image)


def _timed(what: str, work: Callable[[], object]) -> None:
    start = time.monotonic()
    work()
    sys.stderr.write(f"{what}: {time.monotonic() - start:.0f} s\n")
