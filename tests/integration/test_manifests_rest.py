"""What `manifests` asks the API server while nothing changes, counted by the API server itself."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.integration.conftest import Kubectl
from tests.integration.operating import Plans, manifest, operating

OBJECTS = 40


@pytest.fixture
def group(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A kind that this test alone uses, so that its requests can be counted."""
    group = f"{namespace}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    cluster.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(definition))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/gadgets.{group}")
    yield group
    cluster.kubectl("delete", "crd", f"gadgets.{group}", "--wait=false")


def gadgets(group: str, size: int = 1) -> list[dict[str, Any]]:
    return [
        {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"name": f"g-{number}"}, "spec": {"size": size}}
        for number in range(OBJECTS)
    ]


def requests(cluster: Cluster, group: str) -> dict[str, int]:
    """By verb, those of the plan: the namespace controller lists and deletes every kind where a namespace goes."""
    found: dict[str, int] = {}
    for line in cluster.kubectl("get", "--raw=/metrics").splitlines():
        verb = re.search(r'verb="(GET|APPLY|PATCH)"', line)
        if line.startswith("apiserver_request_total{") and f'group="{group}"' in line and verb is not None:
            found[verb[1]] = found.get(verb[1], 0) + int(float(line.rsplit(" ", 1)[1]))
    return found


@pytest.mark.usefixtures("crd")
class TestRequests:
    def test_making_an_object_costs_two_requests_and_rest_costs_none(
        self, cluster: Cluster, plans: Plans, kubectl: Kubectl, namespace: str, group: str, tmp_path: Path
    ) -> None:
        with operating(cluster, [namespace], tmp_path):
            plans.apply(manifest("a", "manifests", parameters={"objects": gadgets(group)}, interval="1s"))
            plans.wait("a")
            made = requests(cluster, group)
            assert made["APPLY"] == 2 * OBJECTS  # a dry run and an apply
            assert made.get("GET", 0) == 0
            before = plans.status("a")["lastConvergedAt"]
            kubectl("annotate", "plan", "a", "execloop.dev/requestedAt=one")
            plans.until(lambda: plans.status("a")["lastConvergedAt"] != before, "it is asked again")
            rest = requests(cluster, group)
            for number in range(3):
                before = plans.status("a")["lastHandledReconcileAt"]
                kubectl("annotate", "plan", "a", f"execloop.dev/requestedAt=again-{number}", "--overwrite")
                plans.until(lambda old=before: plans.status("a")["lastHandledReconcileAt"] != old, "again")  # type: ignore[misc]
                plans.wait("a")
            assert requests(cluster, group) == rest
            kubectl("patch", f"gadgets.{group}", "g-7", "--type=merge", '--patch={"spec":{"size":5}}')
            size = ("get", f"gadgets.{group}", "g-7", "--output=jsonpath={.spec.size}")
            plans.until(lambda: kubectl(*size) == "1", "drift is still repaired")
