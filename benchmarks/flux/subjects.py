"""The resources that each controller converges: N Kustomizations, or N Plans, of the same four ConfigMaps each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.operator.server import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KUSTOMIZATIONS", "PLANS", "SOURCE", "Subject", "objects", "source"]

_OBJECTS = 4
SOURCE = "objects"
GIT_REPOSITORIES = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/gitrepositories"


@dataclass(frozen=True)
class Subject:
    """A kind of resource: where it is, and how one of a name looks with an interval."""

    path: str
    make: Callable[[str, str], dict[str, Any]]


def objects(prefix: str = "") -> list[dict[str, Any]]:
    """Return the ConfigMaps, the names with this prefix."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{prefix}map-{number}", "namespace": NAMESPACE},
            "data": {"colour": "blue", "text": "x" * 200},
        }
        for number in range(_OBJECTS)
    ]


def _resource(api_version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _kustomization(name: str, interval: str) -> dict[str, Any]:
    spec = {
        "interval": interval,
        "path": "./",
        "prune": True,
        "sourceRef": {"kind": "GitRepository", "name": SOURCE},
        "namePrefix": f"{name}-",
        "targetNamespace": NAMESPACE,
    }
    return _resource("kustomize.toolkit.fluxcd.io/v1", "Kustomization", name, spec)


def _plan(name: str, interval: str) -> dict[str, Any]:
    spec = {
        "plan": "manifests",
        "interval": interval,
        "sleepBetweenRuns": "0s",
        "parameters": {"prune": True, "objects": objects(f"{name}-")},
    }
    return _resource("execloop.dev/v1alpha1", "Plan", name, spec)


def source() -> dict[str, Any]:
    """Return the GitRepository that all Kustomizations name; its status says where the archive is."""
    spec = {"interval": "24h", "url": "https://git.example.com/objects.git", "ref": {"branch": "main"}}
    return _resource("source.toolkit.fluxcd.io/v1", "GitRepository", SOURCE, spec)


KUSTOMIZATIONS = Subject(f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/kustomizations", _kustomization)
PLANS = Subject(f"/apis/execloop.dev/v1alpha1/namespaces/{NAMESPACE}/plans", _plan)
