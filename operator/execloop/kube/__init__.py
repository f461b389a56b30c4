"""The Kubernetes API: one async client of plain dicts, and what stands on it.

Cheap to import: the official client's model classes are imported by the parts that need them, when they do.
"""

from __future__ import annotations

from execloop.kube.config.cluster import Cluster
from execloop.kube.errors import ApiError, ConfigurationError, LeaseLost, NoCluster
from execloop.kube.http.connection import APPLY, JSON, MERGE_PATCH, Connection
from execloop.kube.http.official import api_client
from execloop.kube.http.paths import Resource
from execloop.kube.lease.annotation import edit_annotation
from execloop.kube.lease.census import Census
from execloop.kube.lease.election import LeaseTimes
from execloop.kube.lease.lease import Lease
from execloop.kube.lease.ranges import range_of
from execloop.kube.lease.shards import Shards
from execloop.kube.lease.undivided import Undivided
from execloop.kube.objects import kstatus
from execloop.kube.objects.client import Kube, Object, Propagation
from execloop.kube.objects.comparison import Comparison, Drifted, Missing, Same
from execloop.kube.objects.kstatus import Health
from execloop.kube.objects.ownership import PLAN_UID_LABEL, Owner, field_manager
from execloop.kube.watch.answers import EventType, Page
from execloop.kube.watch.contents import Contents
from execloop.kube.watch.metadata import Watch
from execloop.kube.watch.objects import ObjectWatch
from execloop.kube.watch.stream import Restart, Stream, WatchTimes

__all__ = [
    "APPLY",
    "JSON",
    "MERGE_PATCH",
    "PLAN_UID_LABEL",
    "ApiError",
    "Census",
    "Cluster",
    "Comparison",
    "ConfigurationError",
    "Connection",
    "Contents",
    "Drifted",
    "EventType",
    "Health",
    "Kube",
    "Lease",
    "LeaseLost",
    "LeaseTimes",
    "Missing",
    "NoCluster",
    "Object",
    "ObjectWatch",
    "Owner",
    "Page",
    "Propagation",
    "Resource",
    "Restart",
    "Same",
    "Shards",
    "Stream",
    "Undivided",
    "Watch",
    "WatchTimes",
    "api_client",
    "edit_annotation",
    "field_manager",
    "kstatus",
    "range_of",
]
