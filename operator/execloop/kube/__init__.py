"""The Kubernetes API: one async client of plain dicts, and what stands on it.

Cheap to import: the official client's model classes are imported by the parts that need them, when they do.
"""

from __future__ import annotations

from execloop.kube.client import Kube, Object, Propagation
from execloop.kube.cluster import Cluster
from execloop.kube.comparison import Comparison, Drifted, Missing, Same
from execloop.kube.connection import APPLY, JSON, MERGE_PATCH, Connection
from execloop.kube.election import Terms
from execloop.kube.errors import ApiError, ConfigurationError, LeaseLost, NoCluster
from execloop.kube.health import Health, judge
from execloop.kube.lease import Lease
from execloop.kube.official import api_client
from execloop.kube.ownership import PLAN_UID_LABEL, Owner, field_manager
from execloop.kube.paths import Resource
from execloop.kube.watch import EventType, Watch

__all__ = [
    "APPLY",
    "JSON",
    "MERGE_PATCH",
    "PLAN_UID_LABEL",
    "ApiError",
    "Cluster",
    "Comparison",
    "ConfigurationError",
    "Connection",
    "Drifted",
    "EventType",
    "Health",
    "Kube",
    "Lease",
    "LeaseLost",
    "Missing",
    "NoCluster",
    "Object",
    "Owner",
    "Propagation",
    "Resource",
    "Same",
    "Terms",
    "Watch",
    "api_client",
    "field_manager",
    "judge",
]
