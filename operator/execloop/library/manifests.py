"""The plan `manifests`: Kubernetes objects are as they are written down, and stay so."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from execloop._engine.tasks import Task, task
from execloop._plans.decorator import plan
from execloop.kube import Drifted, Missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execloop._plans.context import Context
    from execloop.kube import Comparison

__all__ = ["Manifests", "Parameters"]

# What others need in order to be: namespaces hold objects, definitions make kinds, accounts and roles are referred to.
_FIRST = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "ServiceAccount",
    "ClusterRole",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolumeClaim",
    "Service",
)


def _whole(manifest: dict[str, Any]) -> dict[str, Any]:
    for field in ("apiVersion", "kind"):
        if not isinstance(manifest.get(field), str) or not manifest[field]:
            raise ValueError(f"{field} is missing")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise ValueError("metadata.name is missing")
    return manifest


class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    objects: list[Annotated[dict[str, Any], AfterValidator(_whole)]] = Field(min_length=1, max_length=1000)
    """Kubernetes objects, as in a manifest. Without a namespace they go to the Plan's own."""


def _rank(manifest: dict[str, Any]) -> int:
    kind = manifest["kind"]
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def _place(manifest: dict[str, Any]) -> tuple[str, str, str, str]:
    metadata = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], metadata.get("namespace") or "", metadata["name"]


def _label(manifest: dict[str, Any]) -> str:
    metadata = manifest["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{manifest['kind']} {place}{metadata['name']}"


@plan("manifests", parameters=Parameters)
class Manifests:
    """Compares each object with the cluster by a dry run of its server-side apply; applies what differs."""

    def __init__(self, parameters: Parameters, context: Context) -> None:
        self._objects = sorted(parameters.objects, key=_rank)
        self._kube = context.kube

    @property
    def watches(self) -> Sequence[tuple[str, str, str, str]]:
        """The objects whose drift is to be noticed at once."""
        return tuple(_place(manifest) for manifest in self._objects)

    async def create(self) -> list[Task]:
        compared = [(manifest, await self._kube.compare(manifest)) for manifest in self._objects]
        return [
            task(f"{_verb(found)} {_label(manifest)}", partial(self._apply, manifest))
            for manifest, found in compared
            if isinstance(found, Missing | Drifted)
        ]

    async def _apply(self, manifest: dict[str, Any]) -> None:
        await self._kube.apply(manifest)


def _verb(found: Comparison) -> str:
    return "create" if isinstance(found, Missing) else "repair"
