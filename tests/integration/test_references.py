"""What a Plan refers to: sources of its parameters, objects it depends on, the account it acts as."""

import json
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.integration.operating import Did, Operator, Plans, manifest


def configmap(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def source(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, **more}


@pytest.mark.usefixtures("operator")
class TestParametersFrom:
    def test_sources_merge_in_order_and_inline_comes_last(self, plans: Plans, did: Did) -> None:
        plans.apply(configmap("one", text="one"), configmap("two", values="text: two\nport: 9\n"))
        sources = [source("ConfigMap", "one"), source("ConfigMap", "two", key="values")]
        plans.apply(
            manifest("a", "texts", parametersFrom=sources),
            manifest("b", "texts", parametersFrom=sources, parameters={"text": "inline"}),
        )
        plans.wait("a")
        plans.wait("b")
        assert (did("a"), did("b")) == (["two"], ["inline"])

    def test_a_missing_one_is_waited_for_and_not_a_stall(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("a", "texts", parametersFrom=[source("Secret", "later")]))
        plans.until(lambda: plans.condition("a") == ("False", "ParametersNotFound"), "it waits")
        assert plans.condition("a", "Reconciling") == ("True", "ProgressingWithRetry")
        assert "Secret later" in plans.message("a")
        plans.apply(secret("later", text="there"))
        plans.wait("a")
        assert did("a") == ["there"]

    def test_an_optional_one_may_be_missing_and_counts_once_it_comes(self, plans: Plans, did: Did) -> None:
        sources = [source("ConfigMap", "maybe", optional=True)]
        plans.apply(manifest("a", "texts", parametersFrom=sources, parameters={"port": 1}))
        plans.wait("a")
        plans.apply(configmap("maybe", text="came"))
        plans.until(lambda: "came" in did("a"), "it is used")

    def test_a_suspended_plan_is_suspended_also_while_one_is_missing(self, plans: Plans) -> None:
        plans.apply(manifest("a", "texts", suspend=True, parametersFrom=[source("Secret", "later")]))
        plans.wait("a", "Suspended")
        assert plans.condition("a") == ("Unknown", "Suspended")
        plans.patch("a", suspend=False)
        plans.until(lambda: plans.condition("a") == ("False", "ParametersNotFound"), "it waits")

    def test_a_change_begins_an_execution(self, plans: Plans, did: Did) -> None:
        plans.apply(configmap("c", text="old"), manifest("a", "texts", parametersFrom=[source("ConfigMap", "c")]))
        plans.wait("a")
        first = plans.status("a")["execution"]["id"]
        plans.apply(configmap("c", text="new"))
        plans.until(lambda: "new" in did("a"), "the change is worked on")
        plans.wait("a")
        assert plans.status("a")["execution"]["id"] != first

    def test_parameters_that_are_wrong_stall_until_their_source_is_mended(self, plans: Plans) -> None:
        plans.apply(configmap("c", port="many"), manifest("a", "texts", parametersFrom=[source("ConfigMap", "c")]))
        plans.wait("a", "Stalled")
        assert plans.condition("a") == ("False", "InvalidParameters")
        assert "parameters.port" in plans.message("a")
        plans.apply(configmap("c", port="8"))
        plans.wait("a")

    def test_values_of_a_secret_appear_nowhere(self, plans: Plans, operator: Operator, kubectl: Any, did: Did) -> None:
        value = "hunter2-is-not-enough"
        plans.apply(
            secret("s", text=value),
            secret("wrong", port=value),
            manifest("good", "texts", parametersFrom=[source("Secret", "s")]),
            manifest(
                "fails", "texts", parametersFrom=[source("Secret", "s")], parameters={"fails": True}, errorsToTolerate=0
            ),
            manifest("invalid", "texts", parametersFrom=[source("Secret", "wrong")]),
            manifest("preview", "texts", mode="Preview", parametersFrom=[source("Secret", "s")]),
        )
        plans.wait("good")
        plans.wait("preview")
        plans.wait("fails", "Stalled")
        plans.wait("invalid", "Stalled")
        assert did("good") == [value]
        plans.until(lambda: "ErrorsExceeded" in plans.events("fails"), "an Event tells of the failure")
        seen = kubectl("get", "plans", "--output=json") + kubectl("get", "events", "--output=json") + operator.said()
        assert "the text is …" in operator.said()
        assert value not in seen
        assert json.dumps(value) not in seen

    def test_a_secret_of_one_mebibyte_works(self, plans: Plans, did: Did) -> None:
        plans.apply(secret("big", text="x" * 700_000), manifest("a", "texts", parametersFrom=[source("Secret", "big")]))
        plans.wait("a")
        assert len(did("a")[0]) == 700_000


@pytest.mark.usefixtures("operator")
class TestDependencies:
    def test_it_waits_for_a_plan_and_names_it(self, plans: Plans, did: Did) -> None:
        plans.apply(manifest("second", "marks", dependsOn=[{"name": "first"}]))
        plans.until(lambda: plans.condition("second") == ("False", "DependencyNotReady"), "it waits")
        assert "first not found" in plans.message("second")
        plans.apply(manifest("first", "marks"))
        plans.wait("second")
        assert did("second") == ["try 0", "0"]

    def test_it_waits_for_any_kind_by_the_rules_of_kstatus(self, plans: Plans, kubectl: Any) -> None:
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "prepare"},
            "spec": {
                "suspend": False,
                "template": {
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "example.invalid/none"}]}
                },
            },
        }
        needs = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "settings"},
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        ]
        plans.apply(job, configmap("settings"), manifest("a", "marks", dependsOn=needs))
        plans.until(lambda: "Deployment" in plans.message("a"), "it waits for the Deployment alone")
        assert "ConfigMap" not in plans.message("a")
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "example.invalid/none"}]},
                },
            },
        }
        plans.apply(deployment)
        plans.wait("a", seconds=30)

    def test_a_kind_that_nobody_serves_is_named(self, plans: Plans) -> None:
        needs = [{"apiVersion": "example.invalid/v1", "kind": "Gadget", "name": "g"}]
        plans.apply(manifest("a", "marks", dependsOn=needs))
        plans.until(lambda: "Gadget" in plans.message("a"), "it is named")
        assert plans.condition("a") == ("False", "DependencyNotReady")

    def test_a_kind_that_is_served_later_is_found(self, plans: Plans, cluster: Cluster, namespace: str) -> None:
        plural = f"gadgets-{namespace}"  # the cluster is shared
        kind = f"Gadget{namespace.replace('-', '')}"
        needs = [{"apiVersion": "example.com/v1", "kind": kind, "name": "g"}]
        plans.apply(manifest("a", "marks", dependsOn=needs))
        plans.until(lambda: kind in plans.message("a"), "it waits")
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": plural},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        }
        try:
            plans.apply(definition)
            cluster.kubectl("wait", "--for=condition=Established", f"crd/{plural}.example.com", "--timeout=30s")
            plans.apply({"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "g"}})
            plans.wait("a", seconds=40)  # a look follows after 30 s at most
        finally:
            cluster.kubectl("delete", "crd", f"{plural}.example.com", "--wait=false")

    def test_a_cycle_names_its_members_and_ends_with_its_cause(self, plans: Plans, namespace: str) -> None:
        plans.apply(
            manifest("a", "marks", dependsOn=[{"name": "b"}]),
            manifest("b", "marks", dependsOn=[{"name": "c"}]),
            manifest("c", "marks", dependsOn=[{"name": "a"}]),
        )
        plans.until(lambda: plans.condition("a") == ("False", "DependencyCycle"), "it is seen")
        assert all(f"{namespace}/{name}" in plans.message("a") for name in "abc")
        plans.patch("c", dependsOn=[])
        for name in "cba":
            plans.wait(name)

    def test_another_namespace_is_refused_unless_it_is_allowed(self, plans: Plans) -> None:
        plans.apply(manifest("a", "marks", dependsOn=[{"name": "b", "namespace": "default"}]))
        plans.wait("a", "Stalled")
        assert plans.condition("a") == ("False", "AccessDenied")

    def test_time_spent_waiting_does_not_count_and_no_execution_begins(self, plans: Plans) -> None:
        plans.apply(manifest("a", "marks", dependsOn=[{"name": "b"}], executionTimeout="1s"), manifest("x", "stuck"))
        plans.wait("x", "Stalled")
        assert "execution" not in plans.status("a")


def rights(plans: Plans, account: str) -> None:
    """An account that may read the ConfigMaps of its namespace, and nothing else."""
    plans.kubectl("create", "serviceaccount", account)
    plans.kubectl("create", "role", account, "--verb=get,list", "--resource=configmaps")
    who = plans.kubectl("get", "serviceaccount", account, "--output=jsonpath={.metadata.namespace}")
    plans.kubectl("create", "rolebinding", account, f"--role={account}", f"--serviceaccount={who}:{account}")


@pytest.mark.usefixtures("operator")
class TestServiceAccounts:
    @pytest.mark.parametrize("official", [False, True], ids=["context.kube", "context.api_client"])
    def test_a_plan_has_the_rights_of_its_account_and_no_others(
        self, plans: Plans, did: Did, cluster: Cluster, namespace: str, official: bool
    ) -> None:
        rights(plans, "tenant")
        cluster.kubectl(
            "create", "secret", "generic", f"of-others-{namespace}", "--namespace=default", "--from-literal=a=b"
        )
        parameters = {"namespace": "default", "name": f"of-others-{namespace}", "official": official}
        plans.apply(
            manifest("tenant", "reaches", parameters=parameters, serviceAccountName="tenant"),
            manifest("admin", "reaches", parameters=parameters),
        )
        plans.wait("tenant")
        plans.wait("admin")
        assert (did("tenant"), did("admin")) == (["refused 403"], ["read True"])

    def test_sources_are_read_with_its_rights(self, plans: Plans, did: Did) -> None:
        rights(plans, "tenant")
        plans.apply(secret("s", text="secret"), configmap("c", text="open"))
        plans.apply(
            manifest("a", "texts", serviceAccountName="tenant", parametersFrom=[source("ConfigMap", "c")]),
            manifest("b", "texts", serviceAccountName="tenant", parametersFrom=[source("Secret", "s")]),
        )
        plans.wait("a")
        plans.until(lambda: plans.condition("b") == ("False", "ParametersNotFound"), "it may not read the Secret")
        assert "may not be read" in plans.message("b")
        assert did("b") == []

    def test_dependencies_are_read_with_its_rights(self, plans: Plans) -> None:
        rights(plans, "tenant")
        plans.apply(secret("s", text="secret"))
        needs = [{"apiVersion": "v1", "kind": "Secret", "name": "s"}]
        plans.apply(manifest("a", "marks", serviceAccountName="tenant", dependsOn=needs))
        plans.until(lambda: "may not be read" in plans.message("a"), "it says so")

    def test_plans_that_it_depends_on_are_no_exception(self, plans: Plans) -> None:
        rights(plans, "tenant")
        plans.apply(manifest("first", "marks"))
        plans.wait("first")
        plans.apply(manifest("a", "marks", serviceAccountName="tenant", dependsOn=[{"name": "first"}]))
        plans.until(lambda: "may not be read" in plans.message("a"), "it says so")

    def test_an_account_that_is_not_there_is_waited_for(self, plans: Plans) -> None:
        plans.apply(manifest("a", "marks", serviceAccountName="later"))
        plans.until(lambda: plans.condition("a") == ("False", "ServiceAccountNotFound"), "it waits")
        plans.kubectl("create", "serviceaccount", "later")
        plans.wait("a")
