"""The plan `manifests`: Kubernetes objects are as they are written down, healthy, and stay so."""

from __future__ import annotations

from execloop.library.manifests.parameters import Parameters
from execloop.library.manifests.plan import Manifests

__all__ = ["Manifests", "Parameters"]
