"""A real Kubernetes API server for tests and for the demo; docs/cluster.md tells where it comes from."""

from tests.cluster.cluster import Cluster
from tests.cluster.errors import KubectlFailed, NoCluster, StartFailed
from tests.cluster.provide import provide

__all__ = ["Cluster", "KubectlFailed", "NoCluster", "StartFailed", "provide"]
