"""Who is measured: a command line each, and what it needs."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.operator.server import NAMESPACE
from tests.cluster.binaries import cache
from tests.cluster.build import find_go
from tests.cluster.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.cluster import Cluster

__all__ = ["CONTENDERS", "Contender", "Unavailable", "go_program", "pinned"]

_HERE = Path(__file__).parent
_MODULE = _HERE / "controller_runtime"

_FLOOR = "floor: one status PATCH a Plan, nothing else"


@dataclass(frozen=True)
class Contender:
    title: str
    command: Callable[[Cluster], list[str]]
    """Raises Unavailable, with the reason, when it cannot run here."""
    plans: tuple[str, ...] = ("noop",)
    reacts: bool = False
    """Whether it is measured one Plan at a time, and at rest."""

    @property
    def lives(self) -> bool:
        """Whether it takes new Plans `noop` while it works."""
        return "noop" in self.plans and self.title != _FLOOR

    def environment(self, cluster: Cluster) -> Mapping[str, str]:
        return {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "TOKEN": cluster.token or ""}


def _floor(cluster: Cluster) -> list[str]:
    if cluster.token is None:
        raise Unavailable("it needs a token, and the kubeconfig has none")
    return [sys.executable, str(_HERE / "floor.py"), cluster.server, NAMESPACE]


def _controller_runtime(_cluster: Cluster) -> list[str]:
    return [str(_built()), f"-namespace={NAMESPACE}"]


def _same_work(_cluster: Cluster) -> list[str]:
    return [str(_built()), f"-namespace={NAMESPACE}", "-same"]


@functools.cache
def _built() -> Path:
    return go_program("controller-runtime", _MODULE, ".")


def go_program(name: str, module: Path, package: str) -> Path:
    """Build a program into the user's cache; Go itself knows whether it is still up to date. Raises Unavailable."""
    program = cache() / "benchmarks" / name
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    flags = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags=-s -w"]
    command = [str(find_go()), "build", *flags, f"-o={program}", package]
    done = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"it cannot be built: {done.stderr.strip().rpartition(chr(10))[2]}")
    return program


def _kopf(_cluster: Cluster) -> list[str]:
    options = ["--quiet", "--standalone", f"--namespace={NAMESPACE}"]
    return [sys.executable, "-m", "kopf", "run", *options, str(_HERE / "kopf_handlers.py")]


def _execloop(cluster: Cluster, plans: str = "plans") -> list[str]:
    options = [f"--namespace={NAMESPACE}", f"--plans={_HERE / plans}", f"--kubeconfig={cluster.kubeconfig}"]
    return [sys.executable, "-m", "execloop.cli", "operator", *options]


def pinned(folder: Path, module: str) -> str:
    """The version in the go.mod of that folder."""
    line = next(line for line in (folder / "go.mod").read_text().splitlines() if f"{module} v" in line)
    return line.split()[-1].removeprefix("v")


CONTENDERS = {
    "floor": Contender(_FLOOR, _floor),
    "controller-runtime": Contender(
        f"controller-runtime {pinned(_MODULE, 'sigs.k8s.io/controller-runtime')} (Go), 10 workers",
        _controller_runtime,
        ("noop", "configmaps"),
        reacts=True,
    ),
    "same-work": Contender(
        "controller-runtime, the same work as execloop", _same_work, ("noop", "configmaps"), reacts=True
    ),
    "kopf": Contender(f"Kopf {version('kopf')}, create, update and resume handlers", _kopf),
    "execloop": Contender("execloop", _execloop, ("noop", "configmaps"), reacts=True),
    "execloop-cached": Contender(
        "execloop, reads from its watch (`cached=True`)", functools.partial(_execloop, plans="cached"), ("configmaps",)
    ),
}
