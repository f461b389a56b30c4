"""The cases of kustomize-controller's own tests, by their names there, against `manifests` and the real API server.

Each row says what is applied, what others do then, what is applied next, and what must be found. Where we differ on
purpose the row says why, and asserts what we do. Read at its main branch of November 2026: prune, force, wait,
inventory, deletion policy, drift ignore rules, disallowed managers, variables, validation.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from execloop.kube import ApiError, Connection, Kube
from tests.asynchronous import in_event_loop
from tests.integration.peers.driving import Driven

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.cluster import Cluster

GONE = None
Object = dict[str, Any]


def configmap(name: str, annotations: Mapping[str, str] | None = None, **data: str) -> Object:
    metadata: Object = {"name": name} | ({"annotations": dict(annotations)} if annotations else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def secret(name: str, value: str, **more: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": value}, **more}


def deployment(name: str) -> Object:
    """One that never becomes available: this cluster runs no pods."""
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def job(name: str) -> Object:
    """One that starts, and whose pod never runs."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}
    spec = {"template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


KEEP = {"execloop.dev/prune": "disabled"}
IGNORE_DATA = [{"kind": "ConfigMap", "name": "x", "paths": ["/data/ignored"]}]
TORN_DOWN = ()


@dataclass(frozen=True)
class Case:
    """`others` are merge patches of another hand between the two; `then` is TORN_DOWN when the Plan is deleted."""

    peer: str
    first: tuple[Object, ...]
    then: tuple[Object, ...]
    found: Mapping[str, Any]
    """By kind and name: the data, `...` for whatever it is, or GONE."""
    others: Mapping[str, Object] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""
    """A part of what stands in the way; empty: it has converged."""
    owned: tuple[str, ...] | None = None
    """The inventory at the end."""
    differs: str = ""
    """Why we do not what the peer does."""


CASES = [
    Case(
        "Prune/deletes stale objects",
        (secret("old", "1"), configmap("kept", KEEP, a="1")),
        (secret("new", "1"),),
        {"Secret/old": GONE, "Secret/new": ..., "ConfigMap/kept": {"a": "1"}},
        owned=("Secret/new",),
    ),
    Case(
        "Prune/handles finalizer; preserves objects with pruning disabled",
        (secret("a", "1"), configmap("kept", KEEP, a="1")),
        TORN_DOWN,
        {"Secret/a": GONE, "ConfigMap/kept": {"a": "1"}},
        owned=(),
    ),
    Case(
        "PruneFailedInventoryRetry/accepted delete leaves inventory",
        (configmap("x", a="1"), configmap("other")),
        (configmap("other"),),
        {"ConfigMap/x": {"a": "1"}},
        others={"ConfigMap/x": {"metadata": {"finalizers": ["example.com/hold"]}}},
        says="ConfigMap {namespace}/x: it is being deleted",
        owned=("ConfigMap/other", "ConfigMap/x"),
        differs="the entry stays until the object is gone, and the Plan says what it waits for",
    ),
    Case(
        "PruneEmpty/deletes stale objects",
        (configmap("x"),),
        (),
        {"ConfigMap/x": {}},
        parameters={"objects": []},
        says="give at least one, or a folder",
        owned=("ConfigMap/x",),
        differs="a list that a template left empty must not delete everything; the deletion of the Plan does",
    ),
    Case(
        "PruneSkipNotOwned/preserves objects with different owner",
        (secret("a", "1"), configmap("x", a="1")),
        TORN_DOWN,
        {"Secret/a": GONE, "ConfigMap/x": {"a": "1"}},
        others={"ConfigMap/x": {"metadata": {"labels": {"execloop.dev/plan-uid": "new-owner"}}}},
    ),
    Case(
        "PruneExcludesSSAIgnore/preserves ssa: Ignore objects on stale prune",
        (configmap("x", a="1"), configmap("other")),
        (configmap("other"),),
        {"ConfigMap/x": {"a": "1"}},
        others={"ConfigMap/x": {"metadata": {"annotations": KEEP}}},
    ),
    Case(
        "PruneExcludesSSAIgnore/preserves ssa: Ignore objects on finalizer prune",
        (configmap("x", a="1"), configmap("other")),
        TORN_DOWN,
        {"ConfigMap/x": {"a": "1"}, "ConfigMap/other": GONE},
        others={"ConfigMap/x": {"metadata": {"annotations": KEEP}}},
    ),
    Case(
        "PruneIncludesSSAIfNotPresent/deletes stale ssa: IfNotPresent objects",
        (configmap("x", ignored="1"), configmap("other")),
        (configmap("other"),),
        {"ConfigMap/x": GONE},
        others={"ConfigMap/x": {"data": {"ignored": "2"}}},
        parameters={"ignore": IGNORE_DATA},
        owned=("ConfigMap/other",),
    ),
    Case(
        "PruneIncludesSSAIfNotPresent/deletes ssa: IfNotPresent objects via finalizer",
        (configmap("x", ignored="1"),),
        TORN_DOWN,
        {"ConfigMap/x": GONE},
        others={"ConfigMap/x": {"data": {"ignored": "2"}}},
        parameters={"ignore": IGNORE_DATA},
    ),
    Case(
        "Force/fails to update immutable secret",
        (secret("a", "1", immutable=True),),
        (secret("a", "2", immutable=True),),
        {"Secret/a": {"key": "MQ=="}},
        says="field is immutable when `immutable` is set",
    ),
    Case(
        "Force/recreates immutable secret",
        (secret("a", "1", immutable=True),),
        (secret("a", "2", immutable=True),),
        {"Secret/a": {"key": "Mg=="}},
        parameters={"recreate": True},
    ),
    Case(
        "DriftIgnoreRules/out-of-band change to ignored field is preserved on re-reconcile",
        (configmap("x", managed="1", ignored="original"),),
        (configmap("x", managed="2", ignored="original"),),
        {"ConfigMap/x": {"managed": "2", "ignored": "theirs"}},
        others={"ConfigMap/x": {"data": {"ignored": "theirs"}}},
        parameters={"ignore": IGNORE_DATA},
    ),
    Case(
        "DriftIgnoreRules/non-ignored field change is reverted on re-reconcile",
        (configmap("x", managed="1", ignored="original"),),
        (configmap("x", managed="1", ignored="original"),),
        {"ConfigMap/x": {"managed": "1", "ignored": "theirs"}},
        others={"ConfigMap/x": {"data": {"managed": "tampered", "ignored": "theirs"}}},
        parameters={"ignore": IGNORE_DATA},
    ),
    Case(
        "DisallowedManagers/bad-key should be removed from the configmap",
        (configmap("x", key="1"),),
        (configmap("x", key="1"),),
        {"ConfigMap/x": {"key": "1", "bad-key": "theirs"}},
        others={"ConfigMap/x": {"data": {"bad-key": "theirs"}}},
        differs="a field that another manager added is that manager's: server-side apply leaves it",
    ),
    Case(
        "Inventory/creates resources",
        (configmap("a", key="1"), secret("a", "1")),
        (configmap("a", key="1"), secret("a", "1")),
        {"ConfigMap/a": {"key": "1"}, "Secret/a": ...},
        owned=("ConfigMap/a", "Secret/a"),
    ),
    Case(
        "Inventory/ignores drift",
        (configmap("a", key="1"),),
        (configmap("a", key="1"),),
        {"ConfigMap/a": {"key": "1"}},
        others={
            "ConfigMap/a": {
                "data": {"key": "test"},
                "metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}},
            }
        },
        differs="no annotation of an object stops its repair: `ignore` of the Plan does, which its author writes",
    ),
    Case(
        "Inventory/corrects drift",
        (configmap("a", key="1"),),
        (configmap("a", key="1"),),
        {"ConfigMap/a": {"key": "1"}},
        others={"ConfigMap/a": {"data": {"key": "test"}}},
    ),
    Case(
        "Inventory/renames resources",
        (configmap("a", key="1"), secret("a", "1")),
        (configmap("b", key="1"), secret("b", "1")),
        {"ConfigMap/a": GONE, "Secret/a": GONE, "ConfigMap/b": {"key": "1"}, "Secret/b": ...},
        owned=("ConfigMap/b", "Secret/b"),
    ),
    *(
        Case(
            f"DeletionPolicyDelete/{name}",
            (configmap("x", a="1"),),
            TORN_DOWN,
            {"ConfigMap/x": GONE},
            parameters={"prune": prune},
        )
        for name, prune in (
            ("should delete when deletionPolicy overrides pruning disabled", False),
            ("should delete and wait when deletionPolicy overrides pruning disabled", False),
            ("should delete when deletionPolicy mirrors prune and pruning enabled", True),
        )
    ),
    Case(
        "WaitConditions/reports progressing status",
        (deployment("never"), configmap("after", {"execloop.dev/wave": "1"}, a="1")),
        (deployment("never"), configmap("after", {"execloop.dev/wave": "1"}, a="1")),
        {"ConfigMap/after": GONE},
        says="Deployment {namespace}/never: ",
    ),
    Case(
        "WaitConditions, a Job that runs",
        (job("never"), configmap("after", {"execloop.dev/wave": "1"}, a="1")),
        (job("never"), configmap("after", {"execloop.dev/wave": "1"}, a="1")),
        {"ConfigMap/after": GONE},
        says="Job {namespace}/never: ",
    ),
    Case(
        "CancelHealthCheckOnNewRevision",
        (deployment("never"), configmap("after", {"execloop.dev/wave": "1"}, a="1")),
        (configmap("after", {"execloop.dev/wave": "1"}, a="1"),),
        {"ConfigMap/after": {"a": "1"}, "Deployment/never": GONE},
        owned=("ConfigMap/after",),
    ),
    Case(
        "WaitIgnoresSkippedObjects",
        (deployment("never"), configmap("x", a="1")),
        (deployment("never"), configmap("x", a="1")),
        {"ConfigMap/x": {"a": "1"}, "Deployment/never": ...},
        parameters={"wait": False},
        differs="one object cannot be left out of `wait`: a rule of `readyWhen` says when it is ready",
    ),
    Case(
        "WaitsForCustomHealthChecks",
        (configmap("x", phase="starting"),),
        (configmap("x", phase="starting"),),
        {"ConfigMap/x": {"phase": "starting"}},
        parameters={"readyWhen": [{"kind": "ConfigMap", "cel": "object.data.phase == 'running'"}]},
        says="readyWhen is false: object.data.phase == 'running'",
    ),
    Case(
        "HealthCheckExprs_GroupOnly/group-only healthcheck succeeds for both kinds",
        (configmap("x", ready="yes"), secret("a", "1")),
        (configmap("x", ready="yes"), secret("a", "1")),
        {"ConfigMap/x": ..., "Secret/a": ...},
        parameters={
            "readyWhen": [
                {"kind": "ConfigMap", "cel": "object.data.ready == 'yes'"},
                {"kind": "Secret", "cel": "has(object.data.key)"},
            ]
        },
        differs="an expression is for a kind, not for a whole group",
    ),
    Case(
        "Varsub/replaces vars",
        (configmap("x", region="${region}"),),
        (configmap("x", region="${region}"),),
        {"ConfigMap/x": {"region": "eu"}},
        parameters={"substitute": {"region": "eu"}},
    ),
    Case(
        "VarsubNumberBool",
        (configmap("x", text="n=${number} b=${on} $${var}"),),
        (configmap("x", text="n=${number} b=${on} $${var}"),),
        {"ConfigMap/x": {"text": "n=1 b=true ${var}"}},
        parameters={"substitute": {"number": 1, "on": True}},
    ),
    Case(
        "VarsubStrict/fails to reconcile",
        (configmap("x", a="${missing}"),),
        (configmap("x", a="${missing}"),),
        {"ConfigMap/x": GONE},
        parameters={"substitute": {"other": "1"}},
        says="data.a: substitute has no 'missing'",
    ),
    Case(
        "VarsubAlways/WithVariables strategy skips substitution without variables",
        (configmap("x", a="${color}"),),
        (configmap("x", a="${color}"),),
        {"ConfigMap/x": {"a": "${color}"}},
    ),
    Case(
        "Validation/fails to build invalid plain yamls",
        (configmap("x", a="1"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not A Name"}}),
        (configmap("x", a="1"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not A Name"}}),
        {"ConfigMap/x": {"a": "1"}},
        says="ConfigMap {namespace}/Not A Name: ",
        differs="what does not depend on a refused object is applied; with onError: stop nothing is",
    ),
    Case(
        "Validation/fails to build invalid plain yamls, with onError: stop",
        (configmap("x", a="1"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not A Name"}}),
        (configmap("x", a="1"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not A Name"}}),
        {"ConfigMap/x": GONE},
        parameters={"onError": "stop"},
        says="and none is applied: ConfigMap {namespace}/Not A Name: ",
    ),
]


@pytest.fixture
def connection(cluster: Cluster) -> Connection:
    return Connection.load(cluster.kubeconfig)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.peer)
@in_event_loop
async def test_a_case_of_the_peer(case: Case, connection: Connection, namespace: str) -> None:
    driven, hand = Driven(connection, namespace), Kube(connection, namespace=namespace)
    parameters = {key: value for key, value in case.parameters.items() if key != "objects"}
    try:
        await driven.converge(*case.first, **parameters)
        for which, change in case.others.items():
            kind, _, name = which.partition("/")
            await hand.patch("v1", kind, name, change)
        if case.then is TORN_DOWN and "objects" not in case.parameters:
            said = await driven.tear_down()
        else:
            said = await driven.converge(*case.then, **parameters)
        wanted = case.says.format(namespace=namespace)
        assert wanted in said if wanted else said == "", said
        for which, data in case.found.items():
            assert await _data(hand, which) == data, which
        if case.owned is not None:
            assert driven.inventory == tuple(_entry(which, namespace) for which in case.owned)
    finally:
        await _release(hand, case)
        await connection.close()


def _entry(which: str, namespace: str) -> str:
    kind, _, name = which.partition("/")
    return f"{kind}/{namespace}/{name}"


async def _data(hand: Kube, which: str) -> Any:
    kind, _, name = which.partition("/")
    found = await hand.get("apps/v1" if kind == "Deployment" else "v1", kind, name)
    return GONE if found is None else _Any(found.get("data") or {})


class _Any(dict[str, Any]):
    """Equal to `...` too."""

    def __eq__(self, other: object) -> bool:
        return other is ... or super().__eq__(other)

    __hash__ = None


async def _release(hand: Kube, case: Case) -> None:
    """Let go what another hand holds, so that the namespace can be deleted."""
    for which, change in case.others.items():
        if "finalizers" in change.get("metadata", {}):
            kind, _, name = which.partition("/")
            await hand.patch("v1", kind, name, {"metadata": {"finalizers": None}})


@pytest.fixture
def denied(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A policy of admission that denies the deletion of the ConfigMap `x`; its name."""
    name = f"deny-{namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["DELETE"]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    kind = "ValidatingAdmissionPolicy"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
            "validations": [{"expression": "oldObject.metadata.name != 'x'", "message": "x is protected"}],
        },
    }
    spec = {"policyName": name, "validationActions": ["Deny"]}
    binding = {**policy, "kind": f"{kind}Binding", "spec": spec}
    cluster.kubectl("apply", "--filename=-", input=json.dumps(policy))
    cluster.kubectl("apply", "--filename=-", input=json.dumps(binding))
    yield name
    cluster.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name, "--ignore-not-found")


@in_event_loop
async def test_rejected_delete_stays_in_inventory_until_retry_succeeds(
    connection: Connection, namespace: str, cluster: Cluster, denied: str
) -> None:
    """PruneFailedInventoryRetry/rejected delete stays in inventory until retry succeeds."""
    driven, hand = Driven(connection, namespace), Kube(connection, namespace=namespace)
    try:
        assert await driven.converge(configmap("x"), configmap("other")) == ""
        await _until_denied(hand, cluster, namespace)
        said = await driven.converge(configmap("other"))
        assert f"ConfigMap {namespace}/x cannot be deleted" in said
        assert "x is protected" in said
        assert set(driven.inventory) == {f"ConfigMap/{namespace}/other", f"ConfigMap/{namespace}/x"}
        cluster.kubectl("delete", "validatingadmissionpolicybinding", denied)
        for _ in range(100):
            if await driven.converge(configmap("other")) == "":
                break
        assert set(driven.inventory) == {f"ConfigMap/{namespace}/other"}
        assert await hand.get("v1", "ConfigMap", "x") is None
    finally:
        await connection.close()


async def _until_denied(hand: Kube, cluster: Cluster, namespace: str) -> None:
    for _ in range(100):
        said = cluster.kubectl("delete", "configmap", "x", f"--namespace={namespace}", "--dry-run=server", check=False)
        if "deleted" not in said:
            return
    raise AssertionError("the policy is not in force")


@in_event_loop
async def test_a_kind_that_is_new_is_found_and_one_that_went_leaves_nothing(
    connection: Connection, namespace: str
) -> None:
    """RESTMapper: discovers newly registered CRD and preferred version; discovery fails for deleted CRD."""
    group, hand = f"{namespace}.example.com", Kube(connection, namespace=namespace)
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": name, "served": True, "storage": name == "v1", "schema": schema} for name in ("v1", "v1beta1")]
    spec = {"group": group, "scope": "Namespaced", "names": {"kind": "Gadget", "plural": "gadgets"}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {**spec, "versions": versions},
    }
    gadget = {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"name": "g"}}
    driven = Driven(connection, namespace)
    try:
        assert await driven.converge(definition, gadget, configmap("x")) == ""
        assert await hand.get(f"{group}/v1beta1", "Gadget", "g") is not None
        assert await driven.converge(configmap("x")) == ""
        assert driven.inventory == (f"ConfigMap/{namespace}/x",)
        with suppress(ApiError):  # the kind itself may be unknown by now
            assert await hand.get(f"{group}/v1", "Gadget", "g") is None
    finally:
        await connection.close()
