"""The recorded states of a Plan, in states.yaml."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[2] / "docs" / "gitops"


@dataclass(frozen=True)
class State:
    name: str
    plan: dict[str, Any]
    argocd: str
    kstatus: str

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.plan["status"]
        return found


@cache
def states() -> tuple[State, ...]:
    recorded = yaml.safe_load(Path(__file__).with_name("states.yaml").read_text("utf-8"))
    return tuple(State(one["state"], _plan(one), one["argocd"], one["kstatus"]) for one in recorded)


def state(name: str) -> State:
    (found,) = (one for one in states() if one.name == name)
    return found


def _plan(recorded: dict[str, Any]) -> dict[str, Any]:
    time = "2026-01-02T12:00:00Z"
    metadata = {"name": "plan", "namespace": "team", "uid": "u", "generation": recorded["generation"]}
    if deleted := recorded.get("deleted"):
        metadata |= {"deletionTimestamp": deleted, "finalizers": ["execloop.dev/teardown"]}
    status = {**recorded["status"]}
    if "conditions" in status:
        status["conditions"] = [{"lastTransitionTime": time, **condition} for condition in status["conditions"]]
    return {
        "apiVersion": "execloop.dev/v1alpha1",
        "kind": "Plan",
        "metadata": metadata,
        "spec": {"plan": "noop", "parameters": {}, "dependsOn": []},
        "status": status,
    }
