"""Build the CustomResourceDefinition of Plans from its models; `release.crds` writes it to files."""

from typing import Any

from execloop.controller.api.schema import structural_schema
from execloop.controller.api.v1alpha1 import GROUP, KIND, PLURAL, VERSION, PlanSpec, PlanStatus

__all__ = ["crd"]


def crd() -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["xp"],
                "categories": ["execloop", "all"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _printer_columns(),
                    "schema": {"openAPIV3Schema": _schema()},
                }
            ],
        },
    }


def _schema() -> dict[str, Any]:
    status = structural_schema(PlanStatus, defaults=False)
    # Clients that know kstatus then read a Plan that was not reconciled yet as in progress.
    status["default"] = {"observedGeneration": -1}
    status["properties"]["conditions"] |= {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    }
    for whole in ("execution", "pending", "suspension"):  # each write brings them whole, so no part has an owner
        status["properties"][whole]["x-kubernetes-map-type"] = "atomic"
    return {
        "description": "A Plan converges: its tasks run until it needs none. At each interval it is observed again.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": f"{GROUP}/{VERSION}.", "type": "string"},
            "kind": {"description": f"{KIND}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(PlanSpec, defaults=True),
            "status": status,
        },
    }


def _printer_columns() -> list[dict[str, Any]]:
    """Return what `kubectl get` prints; the priority 1 needs `--output=wide`."""
    ready = '.status.conditions[?(@.type=="Ready")]'
    return [
        {"name": "Ready", "type": "string", "jsonPath": f"{ready}.status"},
        {"name": "State", "type": "string", "jsonPath": ".status.state"},
        {"name": "Status", "type": "string", "jsonPath": f"{ready}.message"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Plan", "type": "string", "jsonPath": ".spec.plan", "priority": 1},
        {"name": "Progress", "type": "string", "jsonPath": ".status.progress", "priority": 1},
        {"name": "Errors", "type": "string", "jsonPath": ".status.errors", "priority": 1},
        {"name": "Execution", "type": "string", "jsonPath": ".status.execution.id", "priority": 1},
        # A string: kubectl prints a date as the time since then, and this one lies ahead.
        {"name": "Next Run", "type": "string", "jsonPath": ".status.nextRunAt", "priority": 1},
        {"name": "Last Converged", "type": "date", "jsonPath": ".status.lastConvergedAt", "priority": 1},
    ]
