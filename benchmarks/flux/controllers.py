"""Flux's kustomize-controller, built from its published module, and what the cluster needs for it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.flux.subjects import KUSTOMIZATIONS, PLANS, Subject
from benchmarks.operator.contenders import CONTENDERS, Contender, go_program, pinned
from tests.cluster.build import find_go, module_folder
from tests.cluster.programs import Published

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster

__all__ = ["CONTROLLERS", "definitions"]

_MODULE = Path(__file__).parent / "kustomize_controller"
_PROGRAM = "github.com/fluxcd/kustomize-controller"
_VERSION = pinned(_MODULE, _PROGRAM)
_OWN = Published(_PROGRAM, f"v{_VERSION}", "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=")
_SOURCES = Published("github.com/fluxcd/source-controller", "v1.9.0", "h1:5msg2yyjVYDULZos+2ve8MZzcSqTpusiXmrOeBhc9yY=")
_NO_PORT = "0"


def definitions() -> Iterator[Path]:
    """Yield the files of the CRDs. Raises Unavailable."""
    go = find_go()
    for module in (_OWN, _SOURCES):
        yield from sorted((module_folder(go, module) / "config" / "crd" / "bases").glob("*.yaml"))


def _kustomize(*options: str) -> Contender:
    def command(_cluster: Cluster) -> list[str]:
        quiet = ["--log-level=error", f"--metrics-addr={_NO_PORT}", f"--health-addr={_NO_PORT}"]
        return [str(_built()), *quiet, *options]

    return Contender(" ".join((f"kustomize-controller {_VERSION}", *options)), command)


@functools.cache
def _built() -> Path:
    return go_program("kustomize-controller", _MODULE, _PROGRAM)


CONTROLLERS: dict[str, tuple[Contender, Subject]] = {
    "flux": (_kustomize(), KUSTOMIZATIONS),
    "flux-10": (_kustomize("--concurrent=10", "--kube-api-qps=10000", "--kube-api-burst=10000"), KUSTOMIZATIONS),
    "execloop": (CONTENDERS["execloop"], PLANS),
}
