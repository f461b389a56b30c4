"""The plan `manifests`: Kubernetes objects are as they are written down, healthy, and stay so."""

from __future__ import annotations

from execloop.library.manifests.plan import Manifests
from execloop.library.manifests.wanted.parameters import Parameters

__all__ = ["Manifests", "Parameters"]
